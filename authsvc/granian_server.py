"""`python -m authsvc.granian_server`: granian with the processes that sign tokens. Everything is loaded before they are forked,
so that they share it and each is there at once."""

from __future__ import annotations

import argparse
import gc

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

import authsvc.wsgi  # noqa: F401 - what they share

# Six may be inside LDAP, and two go on when a directory is silent (docs/performance.md).
_THREADS = 8
_BACKLOG = 2048


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m authsvc.granian_server")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--workers", required=True, type=int)
    parser.add_argument("app", nargs="?", default="authsvc.wsgi:create_watched_front", help="called in each process")
    given = parser.parse_args()
    gc.collect()
    gc.freeze()
    Server(
        given.app,
        given.host,
        given.port,
        interface=Interfaces.WSGI,
        factory=True,
        workers=given.workers,
        blocking_threads=_THREADS,
        backlog=_BACKLOG,
        websockets=False,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
    ).serve()


if __name__ == "__main__":
    main()
