"""Remote registries: asked for real before they are stored, and secrets that go nowhere else."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from authsvc.core.db import db
from authsvc.core.settings import Settings
from authsvc.jobs.context import JobContext
from authsvc.registries import tasks
from authsvc.registries.models import Registry
from authsvc.wsgi import Front
from tests.support.certificates import make_authority
from tests.support.ports import free_ports
from tests.support.registry import PlainRegistry, plain_registry
from tests.support.world import World

SECRET = "remote secret"
HTPASSWD = "puller:$2b$04$uF3q0hbVQkIYkC8b3fRBt.vYWCVBBtSetQKzsTAVvTJuPXaD42y8e\n"
CREDENTIAL = {"type": "basic", "access_key": "puller", "access_secret": SECRET}


@pytest.fixture
def world(make_settings: Callable[..., Settings]) -> Iterator[World]:
    made = World(Front(make_settings(outgoing_allow=("127.0.0.0/8",))))
    made.user("admin", sysadmin=True)
    yield made
    made.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainRegistry]:
    with plain_registry(tmp_path_factory.mktemp("guarded"), htpasswd=HTPASSWD) as running:
        yield running


def create(world: World, url: str, **changes: Any) -> Any:
    body = {"name": "far", "type": "docker-registry", "url": url} | changes
    return world.api("POST", "/registries", "admin", json=body)


def ping(world: World, **body: Any) -> Any:
    return world.api("POST", "/registries/ping", "admin", json=body)


class Sink:
    """A registry made up by somebody: sends for a token to `realm`, and notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.realm = ""
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                sink.told.append((self.path, self.headers.get("Authorization", "")))
                is_token = self.path.startswith("/token")
                good = is_token or not sink.realm or self.headers.get("Authorization") == "Bearer good"
                body = json.dumps({"token": "good"}).encode() if is_token else b"{}"
                self.send_response(200 if good else 401)
                if not good:
                    self.send_header("WWW-Authenticate", f'Bearer realm="{sink.realm}",service="far"')
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@contextmanager
def sink() -> Iterator[Sink]:
    made = Sink()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()


def test_a_registry_is_made_shown_changed_and_deleted(world: World, guarded: PlainRegistry) -> None:
    made = create(world, guarded.url + "/", credential=CREDENTIAL, description="far away")
    assert (made.status_code, made.headers["Location"]) == (201, "/api/v2.0/registries/1"), made.text
    shown = world.api("GET", "/registries/1", "admin").get_json()
    assert shown["credential"] == {"type": "basic", "access_key": "puller", "access_secret": "*****"}
    assert (shown["name"], shown["url"], shown["status"], shown["type"]) == ("far", guarded.url, "healthy", "docker-registry")
    assert create(world, guarded.url, credential=CREDENTIAL).status_code == 409
    assert world.api("PUT", "/registries/1", "admin", json={"description": "near", "name": "near"}).status_code == 200
    listed = world.api("GET", "/registries?name=EA", "admin")
    assert [entry["description"] for entry in listed.get_json()] == ["near"]
    assert listed.headers["X-Total-Count"] == "1"
    assert world.api("GET", "/registries?q=name=~zzz", "admin").get_json() == []
    told = world.api("GET", "/auditlog-exts?q=resource_type=registry,operation=update", "admin").get_json()
    assert told[0]["changes"] == {"name": ["far", "near"], "description": ["far away", "near"]}
    assert world.api("DELETE", "/registries/1", "admin").status_code == 200
    assert world.api("GET", "/registries/1", "admin").status_code == 404


def test_one_that_something_uses_stays(world: World, registry: PlainRegistry) -> None:
    create(world, registry.url)
    with world.changes():
        db.session.execute(
            db.text("CREATE TABLE user_of_it (registry_id BIGINT, FOREIGN KEY (registry_id) REFERENCES registries (id))")
            if db.engine.dialect.name != "sqlite"
            else db.text("CREATE TABLE user_of_it (registry_id INTEGER REFERENCES registries (id))")
        )
        db.session.execute(db.text("INSERT INTO user_of_it VALUES (1)"))
    assert world.api("DELETE", "/registries/1", "admin").status_code == 412
    assert world.api("GET", "/registries/1", "admin").status_code == 200


def test_it_is_asked_for_real(world: World, guarded: PlainRegistry, registry: PlainRegistry) -> None:
    assert ping(world, type="docker-registry", url=registry.url).status_code == 200
    right = {"type": "docker-registry", "url": guarded.url, "credential_type": "basic", "access_key": "puller"}
    assert ping(world, **right, access_secret=SECRET).status_code == 200
    wrong = ping(world, **right, access_secret="wrong")
    assert wrong.status_code == 400
    assert "does not take the credentials (401)" in wrong.text
    assert "asks for a name and a secret" in ping(world, type="docker-registry", url=guarded.url).text
    nobody = ping(world, type="docker-registry", url=f"http://127.0.0.1:{free_ports(1)[0]}")
    assert (nobody.status_code, "ConnectionError" in nobody.text) == (400, True)
    assert create(world, guarded.url, credential=CREDENTIAL | {"access_secret": "wrong"}).status_code == 400
    assert world.api("GET", "/registries", "admin").get_json() == []


def test_over_tls_by_a_named_authority_or_by_none(world: World, tmp_path: Path) -> None:
    authority = make_authority(tmp_path, "localhost")
    with plain_registry(tmp_path, authority=authority) as secure:
        url = secure.url.replace("127.0.0.1", "localhost")
        about = {"type": "docker-registry", "url": url}
        assert "SSLError" in ping(world, **about).text
        assert ping(world, **about, ca_certificate=authority.ca.read_text()).status_code == 200
        assert ping(world, **about, insecure=True).status_code == 200
        assert ping(world, **about, ca_certificate="no certificate").status_code == 400


def test_a_stored_secret_goes_to_its_own_address_only(world: World, guarded: PlainRegistry) -> None:
    create(world, guarded.url, credential=CREDENTIAL)
    with sink() as other:
        assert ping(world, id=1).status_code == 200
        assert ping(world, id=1, access_secret="*****").status_code == 200
        assert ping(world, id=1, url=other.url, access_key="puller").status_code == 200
        assert world.api("PUT", "/registries/1", "admin", json={"url": other.url}).status_code == 200
        assert [authorization for _, authorization in other.told] == ["", ""]
    shown = world.api("GET", "/registries/1", "admin").get_json()
    assert "credential" not in shown or "access_secret" not in shown["credential"]
    with world.changes():
        assert db.session.get_one(Registry, 1).sealed_secret == ""


def test_another_path_or_port_is_another_address(world: World, guarded: PlainRegistry) -> None:
    create(world, guarded.url, credential=CREDENTIAL)
    assert "asks for a name and a secret" in ping(world, id=1, url=guarded.url.replace("127.0.0.1", "localhost")).text


def test_credentials_go_to_a_realm_on_the_registrys_own_host_only(world: World) -> None:
    with sink() as registry, sink() as thief:
        registry.realm = f"{registry.url}/token"
        about = {"type": "docker-registry", "url": registry.url, "access_key": "puller", "access_secret": SECRET}
        assert ping(world, **about).status_code == 200
        basic = "Basic " + base64.b64encode(f"puller:{SECRET}".encode()).decode()
        assert registry.told == [("/v2/", ""), ("/token?service=far", basic), ("/v2/", "Bearer good")]
        registry.realm = f"{thief.url}/token"
        refused = ping(world, **about)
        assert (refused.status_code, "which is another host" in refused.text) == (400, True)
        assert thief.told == []


HOSTILE = [
    "http://127.0.0.1:{port}",
    "http://localhost:{port}",
    "http://LOCALHOST.:{port}",
    "http://x.localhost:{port}",
    "http://2130706433:{port}",
    "http://0x7f000001:{port}",
    "http://0177.0.0.1:{port}",
    "http://127.1:{port}",
    "http://[::1]:{port}",
    "http://[::ffff:127.0.0.1]:{port}",
    "http://0.0.0.0:{port}",
    "http://169.254.169.254/latest/meta-data",
    "http://user:pass@127.0.0.1:{port}",
    "http://example.com@127.0.0.1:{port}",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}",
    "http://127.0.0.1:{port}#x",
    "http://127.0.0.1:{port}\\@example.com",
    "http://",
    "//127.0.0.1:{port}",
    "http://[::1",
    "http://127.0.0.1:{port} .example.com",
    "",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_requests_go_nowhere_that_only_we_reach(make_settings: Callable[..., Settings], url: str) -> None:
    strict = World(Front(make_settings()))
    strict.user("admin", sysadmin=True)
    with sink() as inside:
        target = url.format(port=inside.url.rpartition(":")[2])
        assert ping(strict, type="docker-registry", url=target).status_code == 400
        assert create(strict, target).status_code == 400
        assert inside.told == []
    strict.close()


def test_a_name_that_turns_out_to_be_ours_is_not_connected_to(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    strict = World(Front(make_settings()))
    strict.user("admin", sysadmin=True)
    real = socket.getaddrinfo

    def lie(host: str, *args: Any, **kwargs: Any) -> Any:
        return real("127.0.0.1" if host == "rebound.example.com" and "flags" not in kwargs else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", lie)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        answer = ping(strict, type="docker-registry", url=f"http://rebound.example.com:{listener.getsockname()[1]}")
        assert (answer.status_code, "may not go to" in answer.text) == (400, True)
        with pytest.raises(TimeoutError):
            listener.accept()
    strict.close()


@pytest.mark.parametrize(
    "changes",
    [{"type": "nonsense"}, {"name": ""}, {"name": "x" * 256}, {"name": "a\nb"}, {"credential": {"type": "magic"}}],
)
def test_what_cannot_be_stored(world: World, registry: PlainRegistry, changes: dict[str, Any]) -> None:
    assert create(world, registry.url, **changes).status_code == 400


def test_kinds_and_what_they_can(world: World, registry: PlainRegistry) -> None:
    kinds = world.api("GET", "/replication/adapters", "admin").get_json()
    assert {"harbor", "docker-hub", "docker-registry", "aws-ecr"} <= set(kinds)
    infos = world.api("GET", "/replication/adapterinfos", "admin").get_json()
    assert infos["docker-hub"]["endpoint_pattern"]["endpoints"] == [{"key": "hub.docker.com", "value": "https://hub.docker.com"}]
    create(world, registry.url)
    info = world.api("GET", "/registries/1/info", "admin").get_json()
    assert (info["type"], info["supported_triggers"]) == ("docker-registry", ["manual", "scheduled"])
    local = world.api("GET", "/registries/0/info", "admin").get_json()
    assert (local["type"], "event_based" in local["supported_triggers"]) == ("harbor", True)
    assert world.api("GET", "/registries/99/info", "admin").status_code == 404
    assert ping(world, id=99).status_code == 404


def test_health_is_looked_after(world: World, tmp_path: Path) -> None:
    said: list[str] = []
    with plain_registry(tmp_path) as running:
        create(world, running.url)
    with world.front.flask.app_context():
        extensions, settings = world.front.flask.extensions, world.front.flask.config["TIDEGATE"]
        context = JobContext(settings, extensions["registry"], lambda: None, log=said.append)
        assert tasks.check_health(context) == {"checked": 1, "unhealthy": 1}
        db.session.remove()
    assert world.api("GET", "/registries/1", "admin").get_json()["status"] == "unhealthy"
    assert said[0].startswith("far: it cannot be asked")


def test_no_secret_is_told(world: World, guarded: PlainRegistry) -> None:
    create(world, guarded.url, credential=CREDENTIAL)
    world.api("PUT", "/registries/1", "admin", json={"access_secret": SECRET, "description": "x"})
    told = world.api("GET", "/auditlog-exts?page_size=0", "admin").text + world.api("GET", "/registries", "admin").text
    assert SECRET not in told
    with world.changes():
        row = db.session.get_one(Registry, 1)
        assert SECRET not in row.sealed_secret
