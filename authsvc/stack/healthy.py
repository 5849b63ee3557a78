"""`python -m authsvc.stack.healthy PORT...`: whether what this container serves is there; of the worker, which serves nothing,
whether it has moved lately. Loads nothing, since it runs all the time."""

from __future__ import annotations

import http.client
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

_PATHS = {"5103": "/webhook/ready"}
_LATELY = 20.0  # seconds


def main(ports: Sequence[str]) -> int:
    """0 if all is well."""
    return 0 if all(_answers(port) for port in ports) and (ports or _moves()) else 1


def _answers(port: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=3)
    try:
        connection.request("GET", _PATHS.get(port, "/api/v2.0/ping"))
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _moves() -> bool:
    directory = Path(os.environ["TIDEGATE_STATE_DIR"]) / "run" / "pulse"
    return any(time.time() - file.stat().st_mtime < _LATELY for file in directory.glob("*"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
