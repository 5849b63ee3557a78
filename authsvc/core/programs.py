"""Programs of others that we start or look at."""

from __future__ import annotations

import os
import shutil

_WHERE_DEBIAN_PUTS_SERVERS = ("/usr/sbin", "/usr/local/sbin")


def find(program: str) -> str | None:
    """Where a program is; ordinary users do not have all the directories of servers in their PATH."""
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), *_WHERE_DEBIAN_PUTS_SERVERS]))
