"""The application in front of a real registry, which asks for no token: what is tested here is what the gate lets through."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from werkzeug.test import TestResponse

from authsvc.core.settings import Settings
from authsvc.distribution.manifest import OCI_INDEX, OCI_MANIFEST
from authsvc.rbac.roles import Role
from authsvc.wsgi import Front
from tests.support.registry import CONFIG_TYPE, LAYER_TYPE, PlainRegistry
from tests.support.world import World, basic


@dataclass
class Site:
    """A private project of its own with a user for each role, and the registry behind it."""

    world: World
    registry: PlainRegistry
    project: str = field(default_factory=lambda: f"p{uuid4().hex[:12]}")
    numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.project_id = self.world.project(self.project, 1)
        self.repository = f"{self.project}/app"
        for role in Role:
            self.world.user(role.label)
            self.world.member(self.project, role.label, role)
        self.world.user("stranger")

    def bearer(self, scope: str, who: str | None = "developer") -> dict[str, str]:
        """A registry token, as a header."""
        return {"Authorization": f"Bearer {self.world.token(scope, who=who).get_json()['token']}"}

    def manifest(self, content: str = "x", repository: str = "", **more: Any) -> bytes:
        """An image's manifest whose blobs the registry has."""
        repository = repository or self.repository
        config = json.dumps({"architecture": "arm64", "os": "linux", "author": content}).encode()
        layers = [self.registry.blob(repository, f"layer {content}".encode(), LAYER_TYPE)]
        config_blob = self.registry.blob(repository, config, CONFIG_TYPE)
        image = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config_blob, "layers": layers}
        return json.dumps(image | more).encode()

    def put(self, tag: str, data: bytes, headers: dict[str, str] | None = None, **options: Any) -> TestResponse:
        """PUT a manifest; as the developer, with name and password, unless said otherwise."""
        media_type = options.pop("media_type", OCI_MANIFEST)
        path = f"/v2/{options.pop('repository', self.repository)}/manifests/{tag}"
        headers = basic("developer") if headers is None else headers
        return self.world.client.put(path, data=data, headers={"Content-Type": media_type} | headers, **options)

    def delete(self, reference: str, headers: dict[str, str] | None = None) -> TestResponse:
        return self.world.client.delete(
            f"/v2/{self.repository}/manifests/{reference}", headers=basic("maintainer") if headers is None else headers
        )

    def index(self, *children: bytes) -> bytes:
        """An image index of manifests."""
        from tests.support.registry import digest_of

        entries = [{"mediaType": OCI_MANIFEST, "digest": digest_of(child), "size": len(child)} for child in children]
        return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()

    def artifacts(self) -> dict[str, str]:
        """The index's tags: name -> digest."""
        listed = self.world.api("GET", f"/projects/{self.project}/repositories/app/artifacts?page_size=100", "admin")
        return {tag["name"]: entry["digest"] for entry in listed.get_json() for tag in entry.get("tags", [])}

    def audit(self, operation: str) -> list[dict[str, Any]]:
        query = f"q=operation={operation},resource_type=artifact&page_size=100"
        return list(self.world.api("GET", f"/projects/{self.project}/auditlog-exts?{query}", "admin").get_json())


@pytest.fixture
def site(make_settings: Callable[..., Settings], registry: PlainRegistry) -> Iterator[Site]:
    world = World(Front(make_settings(registry_address=registry.url.removeprefix("http://"))))
    world.user("admin", sysadmin=True)
    yield Site(world, registry)
    world.close()
