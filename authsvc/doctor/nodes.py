"""The nodes of the installation, as each says of itself."""

from __future__ import annotations

from authsvc.core.db import reading
from authsvc.doctor.findings import Check, Finding, Patient, bad, doubtful, good
from authsvc.nodes import service
from authsvc.nodes.service import Standing


def _everyone(patient: Patient) -> list[Standing]:
    with patient.app.app_context(), reading():
        return service.everyone()


def _silent(patient: Patient) -> Finding:
    everyone = _everyone(patient)
    silent = [one for one in everyone if one.is_silent]
    if silent:
        named = ", ".join(f"{one.name} since {one.seen_at:%Y-%m-%d %H:%M} UTC" for one in silent[:5])
        return bad(f"nothing is heard of {named}", "see whether it runs and reaches the database; a day later it is forgotten")
    return good(f"{len(everyone)} nodes are there")


def _clocks(patient: Patient) -> Finding:
    off = [one for one in _everyone(patient) if abs(one.clock_ahead) > service.CLOCK]
    if off:
        named = ", ".join(f"{one.name} by {one.clock_ahead.total_seconds():.0f} s" for one in off[:5])
        return bad(f"clocks are ahead of the database's: {named}", "let all of them follow a time server")
    return good("their clocks agree with the database's")


def _versions(patient: Patient) -> Finding:
    versions = sorted({one.version for one in _everyone(patient) if not one.is_silent})
    if len(versions) > 1:
        return doubtful(f"they run {', '.join(versions)}", "bring all to the newest: two releases are for an upgrade only")
    return good(f"all run {versions[0]}" if versions else "none runs")


CHECKS = (
    Check("nodes.silent", _silent),
    Check("nodes.clocks", _clocks),
    Check("nodes.versions", _versions),
)
