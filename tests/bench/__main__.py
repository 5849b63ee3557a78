"""`python -m tests.bench`: measure, print one table, say which aims are met."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench.big import Size
from tests.bench.caching import caching
from tests.bench.caching import table as table_of_caches
from tests.bench.collecting import collecting
from tests.bench.collecting import table as table_of_collections
from tests.bench.directories import directories
from tests.bench.gate import gate
from tests.bench.long_lists import long_lists, table
from tests.bench.processes import require
from tests.bench.replicating import replicating
from tests.bench.replicating import table as table_of_replications
from tests.bench.report import Report
from tests.bench.runs import Options, by_size, under_load


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="how long each measurement takes (default 4)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is made; the best counts (default 3)")
    parser.add_argument("--sizes", default="10,1000,100000", help="numbers of projects to compare (default 10,1000,100000)")
    parser.add_argument(
        "--only",
        choices=["tokens", "directories", "gate", "lists", "gc", "replication", "proxy-cache"],
        help="tokens; logins by directory, a silent one, and guesses; the gate's decisions, manifests and large layers; what is measured"
        " only when it is asked for: long lists, in a large installation that is made first, garbage collection, replication, and proxy caches",
    )
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite", help="for long lists")
    parser.add_argument("--pages", type=int, default=100, help="how often each list is asked for (default 100)")
    parser.add_argument("--blobs", type=int, default=20_000, help="how many are collected; a tenth from a bucket (default 20000)")
    parser.add_argument(
        "--tags", type=int, default=10_000, help="how many replication compares; it copies a tenth (default 10000)"
    )
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a ratio misses its aim by more than 25 %%")
    return parser.parse_args()


def _lists(arguments: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="tidegate-lists-") as directory:
        print(table(long_lists(Path(directory), arguments.database, arguments.pages, Size())))
    return 0


def _collecting(arguments: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="tidegate-gc-") as directory:
        print(table_of_collections(list(collecting(Path(directory), arguments.blobs, arguments.blobs // 10))))
    return 0


def _replicating(arguments: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="tidegate-replication-") as directory:
        print(table_of_replications(list(replicating(Path(directory), arguments.tags, arguments.tags // 10))))
    return 0


def _caching(options: Options) -> int:
    with tempfile.TemporaryDirectory(prefix="tidegate-caching-") as directory:
        print(table_of_caches(caching(Path(directory), options)))
    return 0


def main() -> int:
    """Measure, print, and return the exit status: 1 if a request failed, or if `--check` finds a ratio far off."""
    arguments = _arguments()
    if arguments.only == "lists":
        return _lists(arguments)
    if arguments.only == "gc":
        return _collecting(arguments)
    if arguments.only == "replication":
        return _replicating(arguments)
    for program in ("wrk", "nginx", "docker-registry"):
        require(program, program)
    options = Options(arguments.seconds, arguments.rounds, [int(size) for size in arguments.sizes.split(",")])
    if arguments.only == "proxy-cache":
        return _caching(options)
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as directory:
        tokens = arguments.only in (None, "tokens")
        rows = under_load(Path(directory), options) if tokens else []
        flat, parts = by_size(Path(directory), options) if tokens else ([], [])
        people = directories(Path(directory), options) if arguments.only in (None, "directories") else None
        gated = gate(Path(directory), options) if arguments.only in (None, "gate") else None
    report = Report(rows, parts, flat, {"seconds each": options.seconds, "best of": options.rounds}, people, gated)
    print(report.text())
    if arguments.json:
        report.write(arguments.json)
    far_off = arguments.check and any(aim.missed_by_far for aim in report.aims())
    return 1 if report.errors or far_off else 0


if __name__ == "__main__":
    sys.exit(main())
