"""Programs that the benchmark starts, waits for, weighs and stops."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_UP_WITHIN = 30.0


def require(program: str, package: str) -> None:
    """Make sure that a program is there: root installs its Debian package, anybody else is told its name."""
    if shutil.which(program):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SystemExit(f"{program} is missing: install the package {package} (apt-get install {package})")
    install = ["apt-get", "install", "-y", "--no-install-recommends", package]
    subprocess.run(install, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})


@contextmanager
def running(command: Sequence[str], port: int, log: Path, environ: Mapping[str, str] | None = None) -> Iterator[int]:
    """A server that listens on a loopback port; its process id. Its whole process group is gone afterwards."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=ROOT, env=environ, start_new_session=True
        )
    try:
        _wait_for(process, port, log)
        yield process.pid
    finally:
        _end(process)


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _UP_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{' '.join(map(str, process.args))} did not come up:\n{log.read_text()[-2000:]}")  # type: ignore[arg-type]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the group that we made: nothing but the server and its workers
        process.wait(timeout=10)


@dataclass(frozen=True, slots=True)
class Weight:
    """Of some processes: seconds of processor time so far, and resident memory in MB (shared pages count for each)."""

    cpu: float
    memory: float


def weigh(parents: Iterable[int]) -> Weight:
    """These processes and all below them."""
    children: dict[int, list[int]] = {}
    known: dict[int, tuple[int, int]] = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        pid = int(directory.name)
        known[pid] = int(fields[11]) + int(fields[12]), int(fields[21])  # ticks as user and system; pages
        children.setdefault(int(fields[1]), []).append(pid)
    found: set[int] = set()
    waiting = [pid for pid in parents if pid in known]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting.extend(children.get(pid, []))
    ticks, pages = (sum(known[pid][index] for pid in found) for index in (0, 1))
    return Weight(ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
