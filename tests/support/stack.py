"""The whole stack for live tests: `authsvc up` itself, on free ports, with a state directory of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.support.ports import free_ports

_READY_WITHIN = 90.0


def let_through(path: Path) -> None:
    """Our temporary directories are closed to others, and nginx, when root starts it, works as another user."""
    for directory in path.parents:
        if directory.exists() and Path(tempfile.gettempdir()) in directory.parents:
            directory.chmod(directory.stat().st_mode | 0o011)


@dataclass
class Stack:
    """A running stack. `host` is what stands in image names; `admin` is (name, password); `front`: the port that clients come to,
    if it is not its own. `environment`: of its processes, beside settings."""

    state_dir: Path
    environ: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    admin: tuple[str, str] = ("admin", "")
    ports: dict[str, int] = field(default_factory=dict)
    front: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"localhost:{self.front or self.ports['https']}"

    @property
    def url(self) -> str:
        return f"https://{self.host}"

    @property
    def own_url(self) -> str:
        """Its own nginx, whatever stands before it."""
        return f"https://localhost:{self.ports['https']}"

    @property
    def ca(self) -> Path:
        return self.state_dir / "tls" / "ca.crt"

    @property
    def log_dir(self) -> Path:
        return self.state_dir / "log"

    def start(self, **settings: str) -> Stack:
        """Start, and wait until it has proven itself. A second start on the same state is a warm one."""
        if not self.ports:
            names = ("https", "http", "token", "api", "webhook", "registry", "cache", "metrics")
            self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.environ = self._environ(settings)
        let_through(self.state_dir)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "authsvc.cli", "up"],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=Path(__file__).parent.parent.parent,
        )
        self._wait()
        return self

    def _environ(self, settings: Mapping[str, str]) -> dict[str, str]:
        port = self.ports
        ours = {
            "EXTERNAL_URL": self.url,
            "STATE_DIR": str(self.state_dir),
            "HTTPS_PORT": str(port["https"]),
            "HTTP_PORT": str(port["http"]),
            "DRAIN_SECONDS": "10",
            **({"METRICS_ADDRESS": f"127.0.0.1:{port['metrics']}"} if "metrics" in port else {}),
            **{f"{name.upper()}_ADDRESS": f"127.0.0.1:{port[name]}" for name in ("token", "api", "webhook", "registry", "cache")},
            # The whole live suite runs against another registry if one is named.
            **({"REGISTRY_PROGRAM": os.environ["TEST_REGISTRY_PROGRAM"]} if "TEST_REGISTRY_PROGRAM" in os.environ else {}),
            **settings,
        }
        clean = {key: value for key, value in os.environ.items() if not key.startswith("TIDEGATE_")}
        return clean | self.environment | {f"TIDEGATE_{name}": value for name, value in ours.items()}

    def _wait(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        seen = []
        deadline = time.monotonic() + _READY_WITHIN
        for line in self.process.stdout:
            seen.append(line)
            if found := re.match(r"\s+Password\s+(\S+)", line):
                self.admin = (self.admin[0], found[1])
            if "Stop: Ctrl-C" in line:
                return
            assert time.monotonic() < deadline, "".join(seen)
        raise AssertionError("the stack did not start:\n" + "".join(seen))

    def stop(self) -> None:
        """Stop as Ctrl-C does, and wait until everything is gone."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=60)
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()

    def cli(self, *arguments: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run `authsvc` with this stack's settings."""
        done = subprocess.run(
            [sys.executable, "-m", "authsvc.cli", *arguments],
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0 or not check, f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    def api(self, method: str, path: str, auth: tuple[str, str] | None = None, **options: Any) -> requests.Response:
        """Call the API through nginx; as the administrator unless said otherwise."""
        return requests.request(
            method, f"{self.url}/api/v2.0{path}", auth=auth or self.admin, verify=str(self.ca), timeout=30, **options
        )

    def token(self, scope: str = "", auth: tuple[str, str] | None = None) -> requests.Response:
        """Ask for a token with these credentials, or none."""
        query = {"service": "harbor-registry"} | ({"scope": scope} if scope else {})
        return requests.get(f"{self.url}/service/token", params=query, auth=auth, verify=str(self.ca), timeout=30)

    def is_well(self) -> bool:
        """Whether every part says that it is there, and a login works."""
        try:
            answers = self.api("GET", "/health", params={"strict": "true"}), self.token(auth=self.admin)
        except requests.RequestException:
            return False
        return all(answer.status_code == 200 for answer in answers)

    def pids(self, program: str) -> list[int]:
        """The processes of one of the supervisor's programs (registry, token, api, webhook, worker, nginx), parents first."""
        marks = {
            "registry": "registry.yml",
            "token": "-m authsvc.granian_server",
            "api": "create_front()",
            "webhook": "webhook.wsgi:create()",
            "worker": "authsvc.cli worker",
            "nginx": str(self.state_dir),
        }
        listing = subprocess.run(["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True).stdout
        found = []
        for line in listing.splitlines()[1:]:
            pid, _, arguments = line.strip().partition(" ")
            if marks[program] in arguments and self._is_ours(int(pid)):
                found.append(int(pid))
        return found

    def _is_ours(self, pid: int) -> bool:
        try:
            return f"TIDEGATE_STATE_DIR={self.state_dir}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False

    def kill(self, program: str) -> int:
        """kill -9 every process of a program; how many there were."""
        pids = self.pids(program)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return len(pids)
