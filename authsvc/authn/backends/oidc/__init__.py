"""People from OpenID Connect providers (OpenID Connect Core 1.0): authorization code with PKCE, ID tokens on the API."""
