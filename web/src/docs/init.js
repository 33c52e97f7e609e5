// Starts Swagger UI on the page /docs; a file of its own because the page allows no inline script.

window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  // The validator badge would send the document to another site.
  validatorUrl: null,
});
