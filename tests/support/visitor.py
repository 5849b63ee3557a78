"""A browser without JavaScript, as far as a test client is one: cookies, forms of our own pages, and what is on a page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from typing import Any

from werkzeug.test import Client, TestResponse

from tests.support.world import PASSWORD, World

BASE = "https://localhost:8443"
_PAGE = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


@dataclass
class Seen(HTMLParser):
    """A page: `text` as people read it, `links`, and `foul`: what our policy lets no browser run or apply."""

    words: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    foul: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if tag == "style" or (tag == "script" and "src" not in given):
            self.foul.append(tag)
        self.foul += [name for name in given if name == "style" or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words)).strip()


def see(response: TestResponse) -> Seen:
    """Read a page."""
    seen = Seen()
    seen.feed(response.text)
    return seen


@dataclass
class Visitor:
    """Somebody with a browser in front of our pages."""

    world: World
    language: str = "en"

    def __post_init__(self) -> None:
        self.client = Client(self.world.nginx)

    def get(self, path: str, **headers: str) -> TestResponse:
        said = _PAGE | {"Accept-Language": self.language} | headers
        return self.client.get(unescape(path), base_url=BASE, headers=said, buffered=True)

    def post(
        self, path: str, form: Mapping[str, Any] | None = None, headers: dict[str, str] | None = None, **more: Any
    ) -> TestResponse:
        said = (_PAGE if headers is None else {"Accept": "text/html"} | headers) | {"Accept-Language": self.language}
        return self.client.post(path, base_url=BASE, data={**(form or {}), **more}, headers=said)

    def page(self, path: str) -> Seen:
        """A page that must be there."""
        response = self.get(path)
        assert response.status_code == 200, (response.status_code, response.text[:500])
        return see(response)

    def sign_in(self, name: str, password: str = PASSWORD, back_to: str = "/projects") -> TestResponse:
        return self.post("/sign-in", principal=name, password=password, next=back_to)
