"""Storage quota: how much more fits, in Harbor's words. Pure. Source: Harbor's quota messages and API."""

from __future__ import annotations

from authsvc.core.errors import BadRequest

UNLIMITED = -1
MARKS = (85, 95, 100)  # percent of a limit; Harbor tells of the first
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def refusal(adding: int, used: int, limit: int) -> str | None:
    """Harbor's sentence if `adding` bytes to `used` ones go over the limit, else None. Adding nothing is refused only where
    there is more than may be already."""
    if limit == UNLIMITED or used + adding <= limit:
        return None
    return (
        f"adding {readable(adding)} of storage resource, which when updated to current usage of {readable(used)} "
        f"will exceed the configured upper limit of {readable(limit)}."
    )


def mark(used: int, limit: int) -> int:
    """The highest of the marks that what is used has come to; 0 if it has come to none."""
    if limit == UNLIMITED:
        return 0
    return max((percent for percent in MARKS if 100 * used >= percent * limit), default=0)


def warning(percent: int, used: int, limit: int) -> str:
    """What is told when a mark is passed, in Harbor's words."""
    return f"quota usage reach {percent}%: resource storage used {readable(used)} of {readable(limit)}"


def readable(size: int) -> str:
    """Bytes as Harbor writes them: `512 B`, `2.0 MiB`."""
    if size < 1024:
        return f"{size} B"
    value, unit = float(size), ""
    for unit in _UNITS:  # noqa: B007 - the last one tried is the one
        value /= 1024
        if value < 1024:
            break
    return f"{value:.1f} {unit}"


def check_limit(limit: int) -> int:
    """A limit that can be set: a number of bytes above 0, or -1 for none.

    Raises:
        BadRequest
    """
    if limit != UNLIMITED and limit <= 0:
        raise BadRequest("storage must be -1 (no limit) or a number of bytes above 0")
    return limit
