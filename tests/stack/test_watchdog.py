"""What hangs is ended; nobody else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from authsvc.core import processes, pulse
from authsvc.core.processes import own_name
from authsvc.stack import watchdog
from authsvc.stack.watchdog import Watchdog
from tests.support.stopping import stop
from tests.support.waiting import eventually

_BEATS = (
    "import sys, time; from pathlib import Path; from authsvc.core import pulse; pulse.begin(Path(sys.argv[1])); time.sleep(600)"
)


@pytest.fixture(autouse=True)
def _look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "BEAT", 0.0)


def _looks(dog: Watchdog, count: int = 20) -> None:
    for _ in range(count):
        dog.look()


def test_who_hangs_is_ended(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", _BEATS, str(tmp_path)])
    try:
        file = tmp_path / str(process.pid)
        eventually(lambda: file.exists() and file.read_text() != "")
        dog = Watchdog(tmp_path)
        stop(process.pid)
        _looks(dog)
        assert process.wait(timeout=30) == -signal.SIGKILL
        dog.look()
        assert not file.exists()
    finally:
        process.kill()
        process.wait()


def test_who_beats_is_left_alone(tmp_path: Path, killed: list[int]) -> None:
    file = tmp_path / str(os.getpid())
    file.write_text(own_name())
    dog = Watchdog(tmp_path)
    for number in range(40):
        dog.look()
        if number % 5 == 0:
            os.utime(file, ns=(0, number + 1))
    assert killed == []
    _looks(dog)
    assert set(killed) == {os.getpid()}


@pytest.mark.parametrize(
    "name",
    [
        "",
        "another-machine/pid:[1]/1/1",
        f"{processes._space()}/{os.getpid()}/1",
        f"/{os.getpid()}/",
        f"{processes._space()}/{os.getpid()}/",
    ],
    ids=["nothing", "elsewhere", "another start", "no machine", "no start"],
)
def test_nobody_is_ended_for_somebody_else(tmp_path: Path, killed: list[int], name: str) -> None:
    """Numbers of processes are given out again, and mean something else on another machine."""
    file = tmp_path / str(os.getpid())
    file.write_text(name)
    _looks(Watchdog(tmp_path))
    assert killed == []
    assert file.exists() == (name == "")


def test_what_cannot_be_read_ends_nobody(tmp_path: Path, killed: list[int]) -> None:
    _looks(Watchdog(tmp_path / "gone"))
    assert killed == []


def test_nobody_beats_where_nobody_looks(tmp_path: Path) -> None:
    pulse.begin(tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Who would have been."""
    found: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _number: found.append(pid))
    return found
