"""A real Docker engine and containerd, from Debian's packages, unpacked and started by hand: no service, no installation."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.network import inside, namespace
from tests.support.once import one_maker, place
from tests.support.waiting import until_up

PACKAGES = ("docker.io", "containerd", "runc", "libdevmapper1.02.1", "iptables")
CACHE = place("docker-engine", " ".join(PACKAGES))


def programs() -> Path:
    """The folder with the unpacked programs; fetched once."""
    root, done = CACHE / "root", CACHE / "done"
    with one_maker(CACHE):
        if done.exists():
            return root
        subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True)
        subprocess.run(["apt-get", "download", "-qq", *PACKAGES], cwd=CACHE, check=True, capture_output=True)
        for package in CACHE.glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(package), str(root)], check=True)
        done.touch()
    return root


def _environ() -> dict[str, str]:
    root = programs()
    path = os.pathsep.join([str(root / "usr/bin"), str(root / "usr/sbin"), os.environ["PATH"], "/usr/sbin", "/sbin"])
    return os.environ | {"PATH": path, "LD_LIBRARY_PATH": str(root / "lib/x86_64-linux-gnu")}


def docker_cli() -> str:
    """The docker command line: the host's, or Debian's."""
    return shutil.which("docker") or str(programs() / "usr/bin/docker")


@dataclass
class Engine:
    """A running engine; `home` is the client's own, so that logins stay apart; `namespace`: of its network, "" if that is the
    host's."""

    host: str
    containerd: str
    home: Path
    namespace: str = ""

    @property
    def environ(self) -> dict[str, str]:
        """Of an operator who works with this engine."""
        path = os.pathsep.join([str(Path(docker_cli()).parent), os.environ["PATH"]])
        return {"PATH": path, "HOME": str(self.home), "DOCKER_HOST": self.host, "DOCKER_CONFIG": str(self.home)}

    def docker(self, *arguments: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        return run_docker(self.home, *arguments, stdin=stdin, check=check, host=self.host)

    def ctr(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [str(programs() / "usr/bin/ctr"), "--address", self.containerd, "--namespace", "tests", *arguments]
        return subprocess.run(command, env=_environ(), capture_output=True, text=True, timeout=120, check=check)


def run_docker(
    home: Path,
    *arguments: str,
    stdin: str = "",
    check: bool = True,
    host: str = "unix:///nonexistent.sock",
    ca: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the docker command line with a configuration folder of its own; without an engine unless `host` names one."""
    environ = _environ_for_cli() | {"DOCKER_CONFIG": str(home), "DOCKER_HOST": host}
    if ca is not None:
        environ["SSL_CERT_FILE"] = str(ca)
    result = subprocess.run(
        [docker_cli(), *arguments], env=environ, input=stdin, capture_output=True, text=True, timeout=180, check=False
    )
    assert not check or result.returncode == 0, result.stdout + result.stderr
    return result


def _environ_for_cli() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("DOCKER_", "TIDEGATE_"))}


@contextmanager
def engine(directory: Path, *options: str, network: bool = False) -> Iterator[Engine]:
    """Start an engine below `directory`, with these options of dockerd, and stop it. With `network` it starts containers, in a network of its own that leads
    nowhere (`network.door` leads there): on the host's each would be a change, at which browsers break off what they ask, and
    other engines would take its bridge away. Without, it carries images only."""
    with ExitStack() as around:
        yield around.enter_context(_engine(directory, around.enter_context(namespace()) if network else "", options))


@contextmanager
def _engine(directory: Path, where: str, options: Sequence[str]) -> Iterator[Engine]:
    home = directory / "home"
    home.mkdir(parents=True)
    socket = directory / "docker.sock"
    command = [
        *(inside(where) if where else []), str(programs() / "usr/sbin/dockerd"), "--data-root", str(directory / "data"),
        "--exec-root", str(directory / "exec"), "--pidfile", str(directory / "docker.pid"), "-H", f"unix://{socket}",
    ]  # fmt: skip
    command += [] if where else ["--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs"]
    command += options
    log = (directory / "dockerd.log").open("w")
    process = subprocess.Popen(command, env=_environ(), stdout=log, stderr=subprocess.STDOUT)
    made = Engine(f"unix://{socket}", str(directory / "exec" / "containerd" / "containerd.sock"), home, where)
    try:
        up = lambda: socket.exists() and made.docker("version", check=False).returncode == 0  # noqa: E731
        until_up(process, directory / "dockerd.log", up)
        yield made
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()
