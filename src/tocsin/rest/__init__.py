"""The HTTP edge: routes, models, problem+json, OpenAPI, static files. No rule of the product lives here."""
