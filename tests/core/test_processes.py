"""A process's name tells whether it is still there, and never says so of one that may be."""

from __future__ import annotations

import subprocess
import sys

from authsvc.core import processes


def test_gone_is_who_was_here_and_is_not_any_more() -> None:
    own = processes.own_name()
    assert len(own) <= 128
    assert not processes.is_gone(own)
    command = [sys.executable, "-c", "from authsvc.core import processes; print(processes.own_name(), flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        name = child.stdout.readline().strip()
        assert not processes.is_gone(name)
        child.kill()
        child.wait()
    assert processes.is_gone(name)
    space, _, started = own.rsplit("/", 2)
    assert processes.is_gone(f"{space}/1/{started}x"), "another process under the same number"
    assert not processes.is_gone(f"elsewhere/pid:[1]/{2**22}/1"), "another machine's: who knows"
    assert not processes.is_gone("/1/1")
