"""`authsvc doctor` beside a running stack, and behind a proxy that was set up as they usually are."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.support.ports import free_ports
from tests.support.stack import Stack
from tests.support.waiting import until_up

Findings = dict[str, dict[str, str]]
# What is so on a stack that was started a moment ago, with little memory and disk.
NOT_YET = {"files.first-password", "identity.first-password", "host.memory", "host.space", "host.inodes", "host.cores"}
# A proxy as distributions bring it: bodies of a megabyte, which it keeps until all is there, and addresses of 8 kB; one that
# decodes paths and sends `Host` as it likes.
_PROXY = """
daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {directory}/a; proxy_temp_path {directory}/b; fastcgi_temp_path {directory}/c;
    uwsgi_temp_path {directory}/d; scgi_temp_path {directory}/e;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {tls}/server.crt;
        ssl_certificate_key {tls}/server.key;
        large_client_header_buffers 4 4k;
        location / {{
            proxy_pass https://127.0.0.1:{behind}/;
            proxy_set_header Authorization "";
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""


def look(stack: Stack, *names: str) -> tuple[int, Findings]:
    """The exit status, and what was found."""
    done = stack.cli("doctor", "--output", "json", *names, check=False)
    return done.returncode, {one["name"]: one for one in json.loads(done.stdout)}


def test_a_stack_that_runs_is_well(own_stack: Stack, record_property: Callable[[str, object], None]) -> None:
    own_stack.start()
    status, found = look(own_stack)
    ill = {name: one for name, one in found.items() if one["status"] in ("warning", "error") and name not in NOT_YET}
    assert not ill
    assert status == 0
    asked = {name for name, one in found.items() if one["status"] == "skipped"}
    assert not [name for name in asked if name.startswith(("parts.", "outside.", "work.", "tls.", "keys."))]
    record_property("doctor", f"{len(found)} checks in {sum(float(one['milliseconds']) for one in found.values()):.0f} ms")
    for process in own_stack.pids("webhook"):
        os.kill(process, signal.SIGSTOP)
    try:
        status, found = look(own_stack, "parts")
    finally:
        for process in own_stack.pids("webhook"):
            os.kill(process, signal.SIGCONT)
    assert status == 1
    assert {name for name, one in found.items() if one["status"] == "error"} == {"parts.webhook", "parts.notifications"}
    own_stack.stop()
    status, found = look(own_stack, "parts", "outside")
    assert status == 1
    assert found["parts.up"]["advice"] == "start it: authsvc up"
    assert found["outside.realm"]["status"] == "skipped"


@contextmanager
def proxy(directory: Path, stack: Stack) -> Iterator[int]:
    """Before a stack; its port."""
    directory.mkdir()
    (port,) = free_ports(1)
    file = directory / "nginx.conf"
    file.write_text(_PROXY.format(directory=directory, port=port, tls=stack.state_dir / "tls", behind=stack.ports["https"]))
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None
    process = subprocess.Popen([program, "-e", str(directory / "error.log"), "-c", str(file)])
    try:
        until_up(process, directory / "error.log", (directory / "nginx.pid").exists)
        yield port
    finally:
        process.terminate()
        process.wait()


def test_what_a_proxy_spoils_is_found(stack: Stack, tmp_path: Path) -> None:
    with proxy(tmp_path / "proxy", stack) as port:
        behind = replace(stack, environ=stack.environ | {"TIDEGATE_EXTERNAL_URL": f"https://localhost:{port}"})
        status, found = look(behind, "outside", "parts.nginx-configuration")
    assert status == 1
    assert {name: one["status"] for name, one in found.items()} == {
        "parts.nginx-configuration": "warning",
        "outside.reached": "ok",
        "outside.trusted": "ok",
        "outside.realm": "error",
        "outside.credentials": "error",
        "outside.size": "error",
        "outside.length": "error",
        "outside.encoded": "ok",
        "outside.redirect": "error",
    }
    assert "413" in found["outside.size"]["said"]
    assert "large_client_header_buffers" in found["outside.length"]["advice"]
