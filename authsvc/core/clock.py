"""Times on the wire."""

from datetime import UTC, datetime

ZERO = "0001-01-01T00:00:00.000Z"  # Harbor's "never": Go's zero time


def rfc3339(moment: datetime | None) -> str:
    """RFC 3339 in UTC with milliseconds, as Harbor's API writes times; Harbor's "never" for None."""
    if moment is None:
        return ZERO
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_rfc3339(text: str) -> datetime:
    """What `rfc3339` wrote."""
    return datetime.fromisoformat(text)
