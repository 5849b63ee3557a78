"""People who log in at a provider."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import requests
from werkzeug.test import Client

from authsvc.authn import sources
from tests.support.oidc_provider import OidcProvider
from tests.support.world import World

URL = "http://registry.test"


def configure(world: World, oidc: OidcProvider, name: str = "default", **changes: object) -> None:
    with world.changes():
        sources.save("test", "oidc", name, oidc.settings(**changes))


class Person:
    """Somebody at a browser: cookies at both sides, redirects followed, the provider's forms filled in."""

    def __init__(self, world: World, name: str) -> None:
        self.client = Client(world.nginx)
        self.at_provider = requests.Session()
        self.name = name

    def close(self) -> None:
        self.at_provider.close()

    def log_in(self, back_to: str = "/", provider: str = "default") -> tuple[int, str]:
        """Status and path where the browser ends at the registry."""
        asked = {"redirect_url": back_to, "provider": provider}
        response = self.client.get("/c/oidc/login", query_string=asked, base_url=URL)
        assert response.status_code == 302, response.text
        return self.come_back(self._pass_the_provider(response.headers["Location"]))

    def come_back(self, url: str) -> tuple[int, str]:
        while True:
            parts = urlsplit(url)
            response = self.client.get(f"{parts.path}?{parts.query}", base_url=URL)
            if response.status_code != 302 or not response.headers["Location"].startswith("/c/"):
                return response.status_code, response.headers.get("Location", parts.path)
            url = response.headers["Location"]

    def _pass_the_provider(self, url: str) -> str:
        for _ in range(12):
            if url.startswith(URL):
                return url
            response = self.at_provider.get(url, allow_redirects=False, timeout=10)
            while response.status_code == 200:
                action = re.search(r'action="([^"]+)"', response.text)
                prompt = re.search(r'name="prompt" value="([^"]+)"', response.text)
                assert action and prompt, response.text
                form = {"prompt": prompt[1], "login": self.name, "password": "x"}
                response = self.at_provider.post(urljoin(url, action[1]), data=form, allow_redirects=False, timeout=10)
            assert response.status_code in (302, 303), response.text
            url = urljoin(url, response.headers["Location"])
        raise AssertionError("the provider never sent us back")

    def cookie(self, name: str) -> str:
        """One of those that the way through the provider needs."""
        found = self.client.get_cookie(name, domain="registry.test", path="/c/oidc")
        assert found is not None
        return found.value

    def current(self) -> dict[str, object]:
        found: dict[str, object] = self.client.get("/api/v2.0/users/current", base_url=URL).get_json()
        return found
