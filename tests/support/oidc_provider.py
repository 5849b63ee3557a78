"""A real OpenID Connect provider, npm's certified `oidc-provider`, installed from its lock file and started by the tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.support.once import one_maker
from tests.support.ports import free_ports

_SOURCE = Path(__file__).parent / "oidc"
_CACHE = Path(__file__).parents[2] / ".cache" / "oidc"
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
    sources = {name: (_SOURCE / name).read_text() for name in ("package.json", "package-lock.json", "provider.mjs")}
    installed, wanted = _CACHE / "installed", json.dumps(sources)
    with one_maker(_CACHE):
        if installed.exists() and installed.read_text() == wanted:
            return
        assert shutil.which("npm"), "npm is not installed; on Debian: apt-get install nodejs npm"
        for name, text in sources.items():
            (_CACHE / name).write_text(text)
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=_CACHE, check=True, capture_output=True)
        installed.write_text(wanted)


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
        _wait(process, running.issuer, _CACHE / f"log-{port}")
        yield running
    finally:
        process.terminate()
        process.wait(10)
        (_CACHE / f"log-{port}").unlink(missing_ok=True)
        running.people.unlink(missing_ok=True)


def _wait(process: subprocess.Popen[bytes], issuer: str, log: Path) -> None:
    for _ in range(100):
        assert process.poll() is None, log.read_text()
        try:
            requests.get(f"{issuer}/.well-known/openid-configuration", timeout=2).raise_for_status()
        except requests.RequestException:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"the provider did not start: {log.read_text()}")
