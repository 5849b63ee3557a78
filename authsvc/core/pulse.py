"""Who is alive, says so: a file for each process, touched by a thread of it. `authsvc up` ends who has stopped doing so.

A process that hangs (stopped, or with its lock held by somebody's C code) is not seen by its parent, which waits for exits only;
what nginx sends to it waits, and what it has claimed is done by nobody.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from authsvc.core.processes import own_name

BEAT = 2.0  # seconds between two


def begin(directory: Path) -> None:
    """Beat from now on until this process ends, in this directory, if there is somebody who looks. After forks, not before."""
    if directory.is_dir():
        threading.Thread(target=_beat, args=(directory / str(os.getpid()),), daemon=True, name="pulse").start()


def _beat(file: Path) -> None:
    pause = threading.Event()
    with suppress(OSError):  # on a full disk nobody is looked at
        file.write_text(own_name())
    while True:
        with suppress(OSError):
            os.utime(file)
        pause.wait(BEAT)
