"""The table, the aims, and the same as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.cases import COLD, DIRECT, EMPTY_GRANIAN, EMPTY_GUNICORN, PAIRS, SECRET, WARM
from tests.bench.load import Measured
from tests.bench.parts import Part

DECISION = "(e) gate decision, 1000 callers"
MANIFEST = "(f) manifest GET"
PLAIN, BARE = "the registry itself, no TLS", "the registry itself, TLS"
UNGATED, GATED = "nginx, TLS, no gate", "nginx, TLS, gate"
_TOLERANCE = 0.25  # by which `--check` lets a ratio miss its aim


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `of_empty`: its rate over that of the empty application reached in the same way."""

    name: str
    via: str
    connections: str
    measured: Measured
    of_empty: float | None = None


@dataclass(frozen=True, slots=True)
class Aim:
    """What we want; `is_ratio`: both sides were measured in this run, so it holds on any machine."""

    name: str
    value: float
    target: float
    at_least: bool
    is_ratio: bool

    @property
    def met(self) -> bool:
        return self.value >= self.target if self.at_least else self.value <= self.target

    @property
    def missed_by_far(self) -> bool:
        """A ratio that is off by more than the noise of a shared machine explains."""
        if not self.is_ratio:
            return False
        if self.at_least:
            return self.value < self.target * (1 - _TOLERANCE)
        return self.value > self.target * (1 + _TOLERANCE)


@dataclass(frozen=True, slots=True)
class Directories:
    """Logins by directory, cold and remembered; a machine's tokens before and while the directory is silent; the longest
    login by directory meanwhile (s); the median time (ms) of a wrong password for each kind of name, looked at or locked; and a
    machine's tokens beside harmless requests and beside as many wrong passwords."""

    cold: Measured
    warm: Measured
    before: Measured
    during: Measured
    slowest: float
    guesses: dict[str, float]
    locked: dict[str, float]
    quiet: Measured
    flooded: Measured

    @property
    def apart(self) -> float:
        """How far the kinds lie apart (ms): what somebody could tell them by."""
        return max(max(times.values()) - min(times.values()) for times in (self.guesses, self.locked))


@dataclass(frozen=True, slots=True)
class Transfer:
    """The fastest push and pull of a large layer on one way to the registry, in MB/s."""

    via: str
    push: float
    pull: float


@dataclass(frozen=True, slots=True)
class Gate:
    """What the gate costs. `rows`: decisions, and manifests with and without it; `flat` as in the report."""

    rows: Sequence[Row]
    flat: Sequence[tuple[str, int, Measured]]
    transfers: Sequence[Transfer] = ()

    def aims(self) -> Iterator[Aim]:
        """Those whose cases were measured."""
        for row in self.rows:
            if row.name == DECISION:
                yield Aim(f"{DECISION[:3]} decisions/s", row.measured.per_second, 2000, True, False)
        p99 = {(row.name, row.via): row.measured.p99 or 0.0 for row in self.rows}
        for name in dict.fromkeys(row.name for row in self.rows if row.name.startswith(MANIFEST)):
            added = p99[name, GATED] - p99[name, UNGATED]
            yield Aim(f"{name}: p99 that the gate adds, ms", added, 2, False, False)
        by_way = {transfer.via: transfer for transfer in self.transfers}
        if gated := by_way.get(GATED):
            for base in (BARE, UNGATED):
                yield Aim(f"push of 200 MB, gateway / {base}", gated.push / by_way[base].push, 0.95, True, True)
                yield Aim(f"pull of 200 MB, gateway / {base}", gated.pull / by_way[base].pull, 0.95, True, True)
            cost = by_way[UNGATED].pull / gated.pull - 1
            yield Aim("asking the gate, share of a pull of 200 MB", cost, 0.03, False, False)


@dataclass(frozen=True, slots=True)
class Report:
    rows: Sequence[Row]
    parts: Sequence[Part]
    flat: Sequence[tuple[str, int, Measured]]  # case, projects in the database, measured
    settings: Mapping[str, int]
    directories: Directories | None = None
    gate: Gate | None = None

    @property
    def all_rows(self) -> list[Row]:
        return [*self.rows, *(self.gate.rows if self.gate else ())]

    @property
    def all_flat(self) -> list[tuple[str, int, Measured]]:
        return [*self.flat, *(self.gate.flat if self.gate else ())]

    @property
    def errors(self) -> int:
        return sum(row.measured.errors for row in self.all_rows) + sum(measured.errors for _, _, measured in self.all_flat)

    def aims(self) -> list[Aim]:
        """Those whose cases were measured."""
        rates = {row.name: row.measured.per_second for row in self.rows if row.via == DIRECT and row.connections == "kept"}
        found = []
        if SECRET in rates and EMPTY_GRANIAN in rates:
            fastest = max(rates[EMPTY_GRANIAN], rates.get(EMPTY_GUNICORN, 0.0))
            found.append(Aim("(a) / empty WSGI app on the fastest server", rates[SECRET] / fastest, 0.5, True, True))
        if SECRET in rates:
            found.append(Aim("(a) requests/s", rates[SECRET], 20_000, True, False))
        if PAIRS in rates:
            found.append(Aim("(b) requests/s", rates[PAIRS], 9_000, True, False))
        if WARM in rates:
            found.append(Aim("(a) / (c)", rates[SECRET] / rates[WARM], 1.2, False, True))
        for case in dict.fromkeys(case for case, _, _ in self.all_flat):
            sizes = {size: measured.p99 or 0.0 for name, size, measured in self.all_flat if name == case}
            ratio = sizes[max(sizes)] / sizes[min(sizes)]
            found.append(Aim(f"{case[:3]} p99 with {max(sizes)} projects / with {min(sizes)}", ratio, 1.2, False, True))
        found += self.gate.aims() if self.gate else ()
        if (measured := self.directories) is not None:
            ratio = (measured.during.p99 or 0.0) / (measured.before.p99 or 1.0)
            found.append(Aim("machines' p99, directory silent / answering", ratio, 1.2, False, True))
            ratio = (measured.flooded.p99 or 0.0) / (measured.quiet.p99 or 1.0)
            found.append(Aim("machines' p99, 200 wrong passwords a second / none", ratio, 1.5, False, True))
            found.append(Aim("longest login by a silent directory, s", measured.slowest, 5.5, False, False))
            found.append(Aim("known and unknown names apart, ms", measured.apart, 2, False, False))
        return found

    def text(self) -> str:
        """All of it as one table of Markdown after the other."""
        sections = [
            self._machine(),
            self._rows(),
            self._flat(),
            self._parts(),
            self._directories(),
            self._transfers(),
            self._aims(),
        ]
        return "\n\n".join(section for section in sections if section)

    def write(self, file: Path) -> None:
        """All of it as JSON."""
        content = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "settings": dict(self.settings),
            "rows": [asdict(row) for row in self.all_rows],
            "flat": [{"case": case, "projects": size, **asdict(measured)} for case, size, measured in self.all_flat],
            "directories": asdict(self.directories) if self.directories else None,
            "transfers": [asdict(transfer) for transfer in self.gate.transfers] if self.gate else [],
            "parts": [asdict(part) for part in self.parts],
            "aims": [asdict(aim) | {"met": aim.met} for aim in self.aims()],
        }
        file.write_text(json.dumps(content, indent=2) + "\n")

    def _machine(self) -> str:
        said = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        today = datetime.now(UTC).date().isoformat()
        return f"{today}; {os.cpu_count()} cores, shared with the load generator; Python {platform.python_version()}; {said}."

    def _rows(self) -> str:
        if not self.all_rows:
            return ""
        heads = ("case", "via", "connections", "requests/s", "of empty", "p50 ms", "p99 ms", "errors", "CPU us", "RSS MB")
        lines = [_line(*heads), _line("---", "---", "---", *["---:"] * 7)]
        for row in self.all_rows:
            numbers = row.measured
            rate = _number(numbers.per_second, 1 if row.name == COLD else 0)
            times = _number(row.of_empty, 2), _number(numbers.p50, 2), _number(numbers.p99, 2)
            weights = _number(numbers.cpu, 0), _number(numbers.memory, 0)
            lines.append(_line(row.name, row.via, row.connections, rate, *times, str(numbers.errors), *weights))
        return "\n".join(lines)

    def _flat(self) -> str:
        if not self.all_flat:
            return ""
        lines = [_line("direct, connections kept", "projects", "requests/s", "p50 ms", "p99 ms"), _line(*["---"] * 5)]
        for case, size, measured in self.all_flat:
            rate = f"{measured.per_second:.0f}"
            lines.append(_line(case, str(size), rate, _number(measured.p50, 2), _number(measured.p99, 2)))
        return "\n".join(lines)

    def _parts(self) -> str:
        if not self.parts:
            return ""
        lines = [_line("in one thread, no server", "us", "per second"), _line("---", "---:", "---:")]
        lines += [_line(part.name, f"{part.microseconds:.1f}", f"{part.per_second:.0f}") for part in self.parts]
        return "\n".join(lines)

    def _directories(self) -> str:
        if self.directories is None:
            return ""
        lines = [_line("with a directory", "requests/s", "p50 ms", "p99 ms"), _line("---", "---:", "---:", "---:")]
        for name, measured in (
            ("login by LDAPS, cold", self.directories.cold),
            ("login by LDAPS, warm", self.directories.warm),
            ("a machine's tokens, the directory answers", self.directories.before),
            ("a machine's tokens, the directory is silent", self.directories.during),
            ("a machine's tokens, nobody guesses", self.directories.quiet),
            ("a machine's tokens, 200 wrong passwords a second", self.directories.flooded),
        ):
            lines.append(_line(name, f"{measured.per_second:.0f}", _number(measured.p50, 2), _number(measured.p99, 2)))
        lines += ["", _line("a wrong password for", "p50 ms"), _line("---", "---:")]
        for kind, median in (self.directories.guesses | self.directories.locked).items():
            lines.append(_line(kind, _number(median, 2)))
        return "\n".join(lines)

    def _transfers(self) -> str:
        if self.gate is None or not self.gate.transfers:
            return ""
        lines = [_line("a layer of 200 MB", "push MB/s", "pull MB/s"), _line("---", "---:", "---:")]
        lines += [_line(one.via, f"{one.push:.0f}", f"{one.pull:.0f}") for one in self.gate.transfers]
        return "\n".join(lines)

    def _aims(self) -> str:
        lines = [_line("aim", "measured", "wanted", ""), _line("---", "---:", "---:", "---")]
        for aim in self.aims():
            digits = 2 if aim.target < 100 else 0
            wanted = f"{'>=' if aim.at_least else '<='} {aim.target:g}"
            lines.append(_line(aim.name, f"{aim.value:.{digits}f}", wanted, "met" if aim.met else "MISSED"))
        return "\n".join(lines)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
