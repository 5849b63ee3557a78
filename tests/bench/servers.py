"""The token server alone, and the baselines that it is held against. All run with the options that the stack gives them."""

from __future__ import annotations

import configparser
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.processes import ROOT, running
from tests.support.ports import free_ports

STATIC_BYTES = 1500  # about a token
_NGINX = """
daemon off;
{user}
worker_processes auto;
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    access_log off;
    sendfile on;
    tcp_nopush on;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    upstream empty {{ server 127.0.0.1:{empty}; keepalive 64; keepalive_requests 100000; }}
    server {{
        listen 127.0.0.1:{plain};
        listen 127.0.0.1:{tls} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:tls:10m;
        ssl_session_tickets off;
        location = /static {{ root {directory}; }}
        location = /empty {{ proxy_pass http://empty; }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and the process to weigh."""

    url: str
    pid: int


@dataclass(frozen=True, slots=True)
class Nginx:
    plain: str
    tls: str
    pid: int


def environment(state_dir: Path, port: int) -> dict[str, str]:
    """Settings for a state directory of our own, and none of the caller's."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("TIDEGATE_")}
    return clean | {"TIDEGATE_STATE_DIR": str(state_dir), "TIDEGATE_TOKEN_ADDRESS": f"127.0.0.1:{port}"}


def prepare(state_dir: Path) -> None:
    """Keys, database and configuration, as `authsvc up` makes them."""
    command = [sys.executable, "-m", "authsvc.cli", "prepare"]
    environ = environment(state_dir, free_ports(1)[0])
    subprocess.run(command, env=environ, cwd=ROOT, check=True, capture_output=True, timeout=60)


def server_command(state_dir: Path, port: int, app: str | None = None) -> list[str]:
    """How the supervisor starts the token server, on another port; with another application if one is named."""
    config = configparser.RawConfigParser()
    config.read(state_dir / "config" / "supervisord.conf")
    command = shlex.split(config["program:token"]["command"])
    command[command.index("--port") + 1] = str(port)
    if app is not None:
        command.append(app)
    return command


@contextmanager
def token_server(state_dir: Path, **settings: str) -> Iterator[Server]:
    """The token server on a prepared state directory, with some settings changed."""
    (port,) = free_ports(1)
    command, log = server_command(state_dir, port), state_dir / "token.log"
    environ = environment(state_dir, port) | {f"TIDEGATE_{name}": value for name, value in settings.items()}
    with running(command, port, log, environ) as pid:
        yield Server(f"http://127.0.0.1:{port}", pid)


@contextmanager
def empty_granian(state_dir: Path) -> Iterator[Server]:
    """The empty application on the token server's server, with its options."""
    (port,) = free_ports(1)
    command = server_command(state_dir, port, "tests.bench.empty_app:create")
    with running(command, port, state_dir / "empty.log") as pid:
        yield Server(f"http://127.0.0.1:{port}", pid)


@contextmanager
def empty_gunicorn(state_dir: Path) -> Iterator[Server]:
    """The empty application on gunicorn's threads, as the API is served."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "authsvc/gunicorn.conf.py"), "-b", f"127.0.0.1:{port}"]
    command += ["-w", "2", "tests.bench.empty_app:create()"]
    with running(command, port, state_dir / "empty.log") as pid:
        yield Server(f"http://127.0.0.1:{port}", pid)


@contextmanager
def nginx(directory: Path, state_dir: Path, empty: Server) -> Iterator[Nginx]:
    """nginx with a file of a token's size, and ahead of the empty application; with the certificate of `state_dir`."""
    plain, tls = free_ports(2)
    directory.mkdir(parents=True)
    (directory / "static").write_bytes(b"x" * STATIC_BYTES)
    config = directory / "nginx.conf"
    values: Mapping[str, object] = {
        "user": "user root;" if os.geteuid() == 0 else "",  # root's own directories must be readable
        "directory": directory,
        "empty": empty.url.rpartition(":")[2],
        "plain": plain,
        "tls": tls,
        "certificate": state_dir / "tls" / "server.crt",
        "key": state_dir / "tls" / "server.key",
    }
    config.write_text(_NGINX.format(**values))
    with running(["nginx", "-c", str(config)], plain, directory / "nginx.log") as pid:
        yield Nginx(f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{tls}", pid)
