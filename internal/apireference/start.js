SwaggerUIBundle({
  // The page may be asked for with a trailing slash.
  url: location.pathname.replace(/reference\/?$/, "openapi.json"),
  dom_id: "#reference",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  // Otherwise the document is sent to a server of Swagger's.
  validatorUrl: null,
  requestSnippetsEnabled: true,
});
