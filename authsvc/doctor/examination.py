"""All checks, and how they are made."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from authsvc.core.errors import DomainError
from authsvc.doctor import backups, database, files, host, identity, nodes, outside, parts, settings, tls, work
from authsvc.doctor.findings import BAD, SKIPPED, Check, Finding, Patient, bad, skipped

_ROOMS = (host, settings, files, tls, database, parts, outside, work, nodes, backups, identity)
CHECKS: tuple[Check, ...] = tuple(chain.from_iterable(room.CHECKS for room in _ROOMS))
# What a check needs that another one is about: when that one finds it bad, this one says so.
_NEEDS = {"keys": "files.owner", "work": "database.schema", "nodes": "database.schema", "identity": "database.schema"}


@dataclass(frozen=True, slots=True)
class Look:
    """One check that was made: what it found, and how long it took, in milliseconds."""

    check: Check
    finding: Finding
    milliseconds: float


def examine(patient: Patient, wanted: Callable[[Check], bool] = lambda check: True) -> Iterator[Look]:
    """Make the checks that are wanted, one after another."""
    found: dict[str, Finding] = {}
    for check in filter(wanted, CHECKS):
        begun = time.perf_counter()
        needed = found.get(_NEEDS.get(check.group, ""))
        finding = (
            skipped(f"see {_NEEDS[check.group]}")
            if needed is not None and needed.status in (BAD, SKIPPED)
            else _look(check, patient)
        )
        found[check.name] = finding
        yield Look(check, finding, round((time.perf_counter() - begun) * 1000, 1))


def _look(check: Check, patient: Patient) -> Finding:
    """Whatever happens is a finding: where things are broken, checks may be, too."""
    try:
        return check.look(patient)
    except DomainError as error:
        return bad(error.message, "mend what it says, and look again")
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        return bad(
            f"it could not be looked at: {first[:300]}",
            "see that this is run as the user, and with the settings, of `authsvc up`",
        )
