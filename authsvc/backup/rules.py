"""Which backups are kept: the newest of each of so many days, weeks, months, years."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from authsvc.core.errors import BadRequest

_PERIODS: dict[str, Callable[[datetime], object]] = {
    "d": lambda moment: moment.date(),
    "w": lambda moment: moment.isocalendar()[:2],
    "m": lambda moment: (moment.year, moment.month),
    "y": lambda moment: moment.year,
}
_PART = re.compile(r"([1-9]\d{0,3})([dwmy])")


def gone(made: Mapping[str, datetime], rule: Iterable[str]) -> list[str]:
    """The names of those that a rule does not keep, by when each was made.

    Raises:
        BadRequest: the rule is none.
    """
    keep = kept(made.values(), rule)
    return [name for name, moment in made.items() if moment not in keep]


def kept(moments: Iterable[datetime], rule: Iterable[str]) -> set[datetime]:
    """Those of the moments of backups that a rule such as `7d`, `4w`, `6m` keeps. A period without any does not count; the newest
    of all is always kept.

    Raises:
        BadRequest: the rule is none.
    """
    ordered = sorted(moments, reverse=True)
    chosen = set(ordered[:1])
    for part in rule:
        found = _PART.fullmatch(part)
        if found is None:
            raise BadRequest(f"what is to be kept is said as 7d, 4w, 6m or 2y, not {part!r}")
        newest: dict[object, datetime] = {}
        for moment in ordered:
            newest.setdefault(_PERIODS[found[2]](moment), moment)
        chosen |= set(list(newest.values())[: int(found[1])])
    return chosen
