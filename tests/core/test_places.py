"""So many at a time, of threads and processes alike; whoever dies takes no place with him."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from authsvc.core.places import Taken, place

HOLD = """
import sys
from pathlib import Path
from authsvc.core.places import place
with place(Path(sys.argv[1]), int(sys.argv[2]), 0):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another(directory: Path, number: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds a place."""
    command = [sys.executable, "-c", HOLD, str(directory), str(number)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_so_many_and_no_more(tmp_path: Path) -> None:
    with place(tmp_path / "run", 2, 0), place(tmp_path / "run", 2, 0), pytest.raises(Taken), place(tmp_path / "run", 2, 0.01):
        pass
    with place(tmp_path / "run", 1, 0):
        pass


def test_other_processes_count_until_they_die(tmp_path: Path) -> None:
    with another(tmp_path, 1) as process:
        with pytest.raises(Taken), place(tmp_path, 1, 0):
            pass
        process.kill()
        process.wait()
        with place(tmp_path, 1, 0):
            pass


def test_a_place_is_given_back_by_who_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), place(tmp_path, 1, 0):
        raise ZeroDivisionError
    with place(tmp_path, 1, 0):
        pass
