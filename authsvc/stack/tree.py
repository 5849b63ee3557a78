"""The processes of a stack: one tree, which leaves nothing behind, whichever of its members is killed.

    up ── supervisord ── the programs' masters ── their workers

Who loses his parent is told to end by the kernel (the parent-death signal) as far as masters; workers of a killed master come to
`up` instead, which is their subreaper, and ends them before the next master needs their port. When supervisord is killed, `up`
starts it anew. When `up` is killed, supervisord ends everything; and what is left even so is ended by the next `up`, which knows
the session that all of them belong to.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from authsvc.core.layout import Layout
from authsvc.observability import metrics
from authsvc.stack.parts import SOURCE
from authsvc.stack.rendering import LEASH

_SUBREAPER = 36  # prctl(2): PR_SET_CHILD_SUBREAPER
_PATIENCE = 5.0  # seconds from SIGTERM to SIGKILL
_LOOK = 0.25

log = structlog.get_logger(component="tree")


class Tree:
    """What one `up` has started. `output`: where supervisord's own standard output goes, None: where ours does."""

    def __init__(self, layout: Layout, output: int | None = subprocess.DEVNULL) -> None:
        self._output = output
        self._config = layout.config / "supervisord.conf"
        self._session = layout.root / "run" / "session"
        self._counted = layout.counted
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._condemned: dict[int, float] = {}  # orphan -> when it is killed
        ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)

    def start(self) -> None:
        """End what an earlier one has left behind, and start supervisord."""
        self.end_left_overs()
        # A session of its own: Ctrl-C in the terminal must reach us, who stop things in order, not everything at once.
        command = [*LEASH, sys.executable, "-m", "supervisor.supervisord", "-c", str(self._config)]
        environ = os.environ | {metrics.DIRECTORY: str(metrics.begin(self._counted))}
        self._supervisor = subprocess.Popen(  # noqa: S603
            command, start_new_session=True, stdout=self._output, stdin=subprocess.DEVNULL, env=environ
        )
        self._session.write_text(f"{self._supervisor.pid} {_boot()}\n")

    @property
    def is_alive(self) -> bool:
        """Whether supervisord is there."""
        return self._supervisor is not None and self._supervisor.poll() is None

    def stop(self) -> None:
        """Let supervisord stop everything, in order."""
        if self._supervisor is not None and self.is_alive:
            self._supervisor.terminate()

    def hurry(self) -> None:
        """Stop everything at once, whatever it carries."""
        if self._supervisor is not None and self.is_alive:
            self._supervisor.kill()  # its programs end with it

    def tell(self, program: str, number: int) -> None:
        """Send a signal to one of supervisord's programs, by its name in the configuration."""
        for pid in self.pids(program):
            send(pid, number)

    def pids(self, program: str) -> list[int]:
        """The process of one of supervisord's programs; none while it starts again."""
        mark = f"SUPERVISOR_PROCESS_NAME={program}".encode()
        return [pid for pid in children_of(self._supervisor.pid if self._supervisor else 0) if mark in _environment(pid)]

    def wait(self, meanwhile: Callable[[], None] = lambda: None) -> int:
        """Wait until supervisord has ended, and end orphans meanwhile; its status."""
        if self._supervisor is None:
            return 0
        while True:
            try:
                return self._supervisor.wait(timeout=_LOOK)
            except subprocess.TimeoutExpired:
                self._end_orphans()
                meanwhile()

    def end(self) -> None:
        """Stop everything, and leave nothing behind."""
        self.stop()
        self.wait()
        self.end_left_overs()
        metrics.end(self._counted)
        self._session.unlink(missing_ok=True)

    def _end_orphans(self) -> None:
        """Tell those to end that have come to us, and bury those that have."""
        for pid in _children():
            if self._supervisor is not None and pid == self._supervisor.pid:
                continue
            if os.waitpid(pid, os.WNOHANG)[0]:
                self._condemned.pop(pid, None)
            elif pid not in self._condemned:
                log.warning("orphan_ended", pid=pid)
                self._condemned[pid] = time.monotonic() + _PATIENCE
                os.kill(pid, signal.SIGTERM)
            elif time.monotonic() > self._condemned[pid]:
                os.kill(pid, signal.SIGKILL)

    def end_left_overs(self) -> None:
        """End all processes of the session that was started last."""
        try:
            session, boot = self._session.read_text().split()
        except (FileNotFoundError, ValueError):
            return
        if boot != _boot():
            return
        deadline, number = time.monotonic() + _PATIENCE, signal.SIGTERM
        while left := _of_session(int(session)):
            if time.monotonic() > deadline:
                number = signal.SIGKILL
            for pid in left:
                send(pid, number)
            _bury()
            time.sleep(0.05)


def _of_session(session: int) -> list[int]:
    """Those that are alive, of a session of ours: all of them work in our directory. The kernel gives its number to no other one
    as long as there are any."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            # The name of the program, in parentheses, may hold anything.
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if fields[0] not in "ZX" and int(fields[3]) == session and (process / "cwd").readlink() == SOURCE:
                found.append(int(process.name))
        except OSError:  # it has just ended
            continue
    return found


def _children() -> list[int]:
    return children_of(os.getpid())


def children_of(parent: int) -> list[int]:
    """The processes that one has started, as far as they are there."""
    found: list[int] = []
    with suppress(OSError):  # it has just ended
        for path in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, path.read_text().split())
    return found


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it has just ended
        return []


def _bury() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def send(pid: int, number: int) -> None:
    """Send a signal to a process, if it is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _boot() -> str:
    """Process and session ids mean something until the machine, or the container, starts again."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + str(Path("/proc/self/ns/pid").readlink())
