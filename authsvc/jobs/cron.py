"""Times to run at: six fields, seconds first, in UTC, as Harbor writes them. Pure."""

from __future__ import annotations

from datetime import datetime

from cronsim import CronSim, CronSimError

from authsvc.core.errors import BadRequest

PRESETS = {"Hourly": "0 0 * * * *", "Daily": "0 0 0 * * *", "Weekly": "0 0 0 * * 0"}
CUSTOM, MANUAL, NONE = "Custom", "Manual", "None"
CHOICES = (NONE, *PRESETS, CUSTOM)  # for people
TYPES = (*PRESETS, CUSTOM, MANUAL, NONE, "Schedule")  # `Schedule`: what old clients say for Custom
_MAX_CRON = 255


def parse(cron_type: str, cron: str) -> str:
    """The six fields that a schedule's type and text stand for; a preset needs no text.

    Raises:
        BadRequest: the type is none that recurs, or the text is no such line, or never comes.
    """
    text = " ".join((cron.strip() or PRESETS.get(cron_type, "")).replace("?", "*").split())
    if cron_type in (MANUAL, NONE) or cron_type not in TYPES:
        raise BadRequest(f"invalid schedule type: {cron_type[:32]}")
    if len(text) > _MAX_CRON or len(text.split(" ")) != 6:
        raise BadRequest(f"invalid cron: {text[:64]!r} must have six fields: second minute hour day month weekday, in UTC")
    try:
        next_after(text, datetime(2024, 1, 1))  # noqa: DTZ001 - any moment: only whether it can be asked
    except (CronSimError, StopIteration):
        raise BadRequest(f"invalid cron: {text[:64]!r}") from None
    return text


def next_after(cron: str, moment: datetime) -> datetime:
    """The next time after a moment, to the second."""
    return next(CronSim(cron, moment.replace(microsecond=0)))
