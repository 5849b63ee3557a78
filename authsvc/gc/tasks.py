"""The garbage collection of the registry's storage: what may be asked of it. It cannot be run yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from authsvc.core.errors import BadRequest, NotServed
from authsvc.jobs.context import JobContext

KIND = "GARBAGE_COLLECTION"
_FLAGS = ("delete_untagged", "dry_run")
_MAX_WORKERS = 10
MISSING = "this version does not collect garbage; docs/operations.md says how to do it by hand"


def checked(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Harbor's parameters of a collection.

    Raises:
        BadRequest
    """
    workers = parameters.get("workers", 1)
    if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= _MAX_WORKERS:
        raise BadRequest(f"workers must be 1 to {_MAX_WORKERS}")
    flags = {name: parameters.get(name, False) for name in _FLAGS}
    if wrong := [name for name, value in flags.items() if not isinstance(value, bool)]:
        raise BadRequest(f"{wrong[0]} must be true or false")
    return flags | {"workers": workers}


def collect(_context: JobContext) -> NoReturn:
    """A run by schedule: its status says why nothing was collected.

    Raises:
        NotServed
    """
    raise NotServed(MISSING)
