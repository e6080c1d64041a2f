// Everything this page loads or calls is of its own origin; the
// Content-Security-Policy of the answer holds it to that.
SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#page',
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
  persistAuthorization: false, // a token is not left behind in the browser
  queryConfigEnabled: false, // a link to this page cannot point it at another contract
  validatorUrl: null, // the badge would send the contract to another host
});
