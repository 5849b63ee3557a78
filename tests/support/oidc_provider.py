"""A real OpenID Connect provider, npm's certified `oidc-provider`, installed from its lock file and started by the tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.support.once import one_maker, place
from tests.support.ports import free_ports
from tests.support.waiting import until_up

_SOURCE = Path(__file__).parent / "oidc"
_FILES = {name: (_SOURCE / name).read_text() for name in ("package.json", "package-lock.json", "provider.mjs")}
_CACHE = place("oidc", json.dumps(_FILES))
CLIENT_ID, CLIENT_SECRET = "tidegate", "canary-of-the-oidc-client"
GROUPS = {"olga": ["registry-developers", "chess"], "root": ["registry-admins"]}


@dataclass(frozen=True, slots=True)
class OidcProvider:
    """A running provider. `people`: the file that says who is in which groups, and who has left."""

    issuer: str
    people: Path

    @contextmanager
    def changed(self, *, left: Sequence[str] = (), **groups: list[str]) -> Iterator[None]:
        """For a while other groups of some people, and some who have left."""
        self.people.write_text(json.dumps({"groups": GROUPS | groups, "left": left}))
        try:
            yield
        finally:
            self.people.write_text(json.dumps({"groups": GROUPS, "left": []}))

    def settings(self, **changes: object) -> dict[str, object]:
        """Harbor's items for it."""
        return {
            "oidc_name": "Test provider",
            "oidc_endpoint": self.issuer,
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret": CLIENT_SECRET,
            "oidc_scope": "openid profile email groups",
            "oidc_groups_claim": "groups",
            "oidc_auto_onboard": True,
        } | changes


def _install() -> None:
    installed = _CACHE / "installed"
    with one_maker(_CACHE):
        if installed.exists():
            return
        assert shutil.which("npm"), "npm is not installed; on Debian: apt-get install nodejs npm"
        for name, text in _FILES.items():
            (_CACHE / name).write_text(text)
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=_CACHE, check=True, capture_output=True)
        installed.touch()


@contextmanager
def oidc_provider(external_url: str) -> Iterator[OidcProvider]:
    """Start one that knows the registry at that address as its client."""
    _install()
    port = free_ports(1)[0]
    running = OidcProvider(f"http://127.0.0.1:{port}", _CACHE / f"people-{port}")
    with running.changed():
        pass
    environment = os.environ | {
        "PORT": str(port),
        "CLIENT_ID": CLIENT_ID,
        "CLIENT_SECRET": CLIENT_SECRET,
        "REDIRECT_URI": f"{external_url}/c/oidc/callback",
        "AFTER_LOGOUT": f"{external_url}/",
        "PEOPLE": str(running.people),
    }
    with (_CACHE / f"log-{port}").open("wb") as log:
        process = subprocess.Popen(["node", "provider.mjs"], cwd=_CACHE, env=environment, stdout=log, stderr=log)
    try:
        discovery = f"{running.issuer}/.well-known/openid-configuration"
        until_up(process, _CACHE / f"log-{port}", lambda: requests.get(discovery, timeout=5).ok)
        yield running
    finally:
        process.terminate()
        process.wait(10)
        (_CACHE / f"log-{port}").unlink(missing_ok=True)
        running.people.unlink(missing_ok=True)
