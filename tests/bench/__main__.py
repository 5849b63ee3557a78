"""`python -m tests.bench`: measure, print one table, say which aims are met."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench.directories import directories
from tests.bench.processes import require
from tests.bench.report import Report
from tests.bench.runs import Options, by_size, under_load


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="how long each measurement takes (default 4)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is made; the best counts (default 3)")
    parser.add_argument("--sizes", default="10,1000,100000", help="numbers of projects to compare (default 10,1000,100000)")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a ratio misses its aim by more than 25 %%")
    return parser.parse_args()


def main() -> int:
    """Measure, print, and return the exit status: 1 if a request failed, or if `--check` finds a ratio far off."""
    arguments = _arguments()
    for program in ("wrk", "nginx", "docker-registry"):
        require(program, program)
    options = Options(arguments.seconds, arguments.rounds, [int(size) for size in arguments.sizes.split(",")])
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as directory:
        rows = under_load(Path(directory), options)
        flat, parts = by_size(Path(directory), options)
        people = directories(Path(directory), options)
    report = Report(rows, parts, flat, {"seconds each": options.seconds, "best of": options.rounds}, people)
    print(report.text())
    if arguments.json:
        report.write(arguments.json)
    far_off = arguments.check and any(aim.missed_by_far for aim in report.aims())
    return 1 if report.errors or far_off else 0


if __name__ == "__main__":
    sys.exit(main())
