"""How often tests try what only numbers can show."""

from __future__ import annotations

import os

THOROUGH = bool(os.environ.get("THOROUGH"))


def rounds(usually: int, promised: int) -> int:
    """Some in each run, so that it ends before the kettle boils; as many as were promised with `THOROUGH=1`."""
    return promised if THOROUGH else usually
