// Starts Swagger UI on the page /docs; a file of its own because the page allows no inline script.

window.addEventListener("DOMContentLoaded", () => {
  const element = document.getElementById("swagger-ui");
  window.SwaggerUIBundle({
    domNode: element,
    url: element.dataset.openapi ?? "/openapi.json",
    deepLinking: true,
    tryItOutEnabled: true,
    persistAuthorization: false,
    // The validator badge would send the document to another site.
    validatorUrl: null,
  });
});
