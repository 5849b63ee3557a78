"""`make dev`: API, pages and token endpoint on SQLite, loaded anew when a file changes, with the debugger; beside them a real
registry, directory and OpenID provider, all on loopback. No root, no nginx, so no docker. `make seed` puts something in.

    python -m tests.dev        run it, on port 5180 or $PORT; state stays in var/dev or $STATE
    python -m tests.dev seed   users, projects, members, robots, images and charts; once
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from werkzeug.debug import DebuggedApplication
from werkzeug.serving import is_running_from_reloader, run_simple

from authsvc.authn import sources
from authsvc.core import schema, sealing
from authsvc.core.base import create_base
from authsvc.core.errors import Conflict
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.observability import logs
from authsvc.rbac.roles import Role
from authsvc.token.keys import KeyStore
from authsvc.wsgi import Front
from tests.support.oidc_provider import oidc_provider
from tests.support.ports import NOWHERE
from tests.support.registry import PlainRegistry, plain_registry
from tests.support.shelf import Shelf
from tests.support.slapd import slapd
from tests.support.world import PASSWORD, World

HOST, PORT = "127.0.0.1", int(os.environ.get("PORT", "5180"))
URL = f"http://localhost:{PORT}"
STATE = Path(os.environ.get("STATE") or Path(__file__).parents[1] / "var" / "dev")
_REGISTRY = "DEV_REGISTRY"  # its address, from the process that watches the files to the one that answers


def settings() -> Settings:
    """Those of a host with nothing in front of it."""
    return Settings(
        state_dir=STATE,
        external_url=URL,
        tls=False,
        http_port=PORT,
        token_address=NOWHERE,
        api_address=NOWHERE,
        webhook_address=NOWHERE,
        registry_address=os.environ.get(_REGISTRY, NOWHERE),
        cache_address=NOWHERE,
        outgoing_allow=("127.0.0.0/8",),
    )


def prepare() -> World:
    """The state, made or brought to the newest schema, with an administrator."""
    ours = settings()
    STATE.mkdir(parents=True, exist_ok=True)
    KeyStore(Layout(ours).keys).prepare()
    sealing.prepare(Layout(ours))
    schema.upgrade(create_base(ours))
    world = World(Front(ours))
    with suppress(Conflict):
        world.user("admin", sysadmin=True)
    return world


@contextmanager
def registry() -> Iterator[PlainRegistry]:
    """One that keeps what it has below the state."""
    directory = STATE / "registry"
    directory.mkdir(parents=True, exist_ok=True)
    with plain_registry(directory, storage={"filesystem": {"rootdirectory": str(directory / "data")}}) as running:
        os.environ[_REGISTRY] = running.url.removeprefix("http://")
        yield running


@contextmanager
def neighbours() -> Iterator[None]:
    """Registry, directory and provider, known to the application; those that are not installed are left out."""
    with ExitStack() as stack:
        stack.enter_context(registry())
        world = prepare()
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        starts: dict[sources.Kind, AbstractContextManager[Any]] = {"ldap": slapd(directory / "slapd"), "oidc": oidc_provider(URL)}
        for kind, start in starts.items():
            try:
                running: Any = stack.enter_context(start)
            except AssertionError as error:
                print(f"without {kind}: {error}")
            else:
                with world.changes():
                    sources.save("dev", kind, "default", running.settings())
        world.close()
        yield


def seed() -> None:
    """Put in what a small company has."""
    with registry() as running:
        world = prepare()
        people = {name: world.user(name) for name in ("olivia", "mike", "dora", "gustav", "lena")}
        for project, public in (("web", False), ("base", True), ("charts", False)):
            shelf = Shelf(world, running, project)
            if public:
                world.api("PUT", f"/projects/{project}", "admin", json={"metadata": {"public": "true"}})
            for name, role in zip(people, Role, strict=False):
                world.member(project, name, role)
            _fill(shelf)
        _robots(world)
        world.close()
    print(f"users {', '.join(people)} with the password {PASSWORD!r}; projects web, base and charts")


def _fill(shelf: Shelf) -> None:
    if shelf.project == "charts":
        for version in ("1.0.0", "1.1.0", "2.0.0"):
            shelf.chart("shop", version, {"README.md": b"# Shop\n", "values.yaml": b"replicas: 2\n"})
        return
    for repository in ("app", "tools/backup"):
        for number in range(5):
            shelf.image(repository, f"v1.{number}", content=f"{repository} {number}")
        shelf.index(repository, "latest", "amd64", "arm64")


def _robots(world: World) -> None:
    access = [{"resource": "repository", "action": action} for action in ("pull", "push")]
    for project in ("web", "base"):
        permission = {"kind": "project", "namespace": project, "access": access}
        body = {"name": "ci", "level": "project", "duration": 90, "permissions": [permission]}
        made = world.api("POST", "/robots", "admin", json=body).get_json()
        print(f"robot {made['name']} with the secret {made['secret']}")


def serve() -> None:
    """In the process that the watching one starts again after each change."""
    logs.configure("info", "authsvc")
    front = Front(settings())
    front.flask.debug = True
    front.flask.error_handler_spec[None][None].pop(Exception)  # so that the debugger has it
    run_simple(HOST, PORT, DebuggedApplication(front, evalex=True), use_reloader=True, threaded=True)


def main() -> None:
    if sys.argv[1:] == ["seed"]:
        try:
            seed()
        except Conflict as error:
            sys.exit(f"{error.message}: it is in there already; rm -rf {STATE} begins anew")
    elif is_running_from_reloader():
        serve()
    else:
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        with neighbours():
            print(
                f"{URL}  API at {URL}/api\nadmin, or alice and bob of the directory: {PASSWORD!r}; at the provider any password"
            )
            run_simple(HOST, PORT, lambda *_: [], use_reloader=True)


if __name__ == "__main__":
    main()
