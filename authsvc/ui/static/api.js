// Shows the OpenAPI document; everything comes from this server.
window.addEventListener("load", () => {
  SwaggerUIBundle({ url: "/api/v2.0/openapi.json", dom_id: "#api", deepLinking: true, docExpansion: "none", tagsSorter: "alpha", validatorUrl: null });
});
