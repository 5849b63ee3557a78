"""The benchmark's machinery at its smallest, so that it works when it is wanted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.big import SMALL
from tests.bench.cases import EMPTY_GRANIAN, SECRET
from tests.bench.collecting import Collected, collecting
from tests.bench.collecting import table as collected
from tests.bench.gate import by_size
from tests.bench.lists import Timed, questions
from tests.bench.load import Measured, parse
from tests.bench.long_lists import AIM, long_lists, table
from tests.bench.processes import require
from tests.bench.report import BARE, DECISION, GATED, UNGATED, Aim, Gate, Report, Transfer
from tests.bench.runs import Options, alone


@pytest.mark.slow
def test_a_small_run_makes_a_report(tmp_path: Path) -> None:
    require("wrk", "wrk")
    options = Options(seconds=1, rounds=1)
    report = Report(alone(tmp_path, options), [], [], {"seconds each": 1})
    assert [row.name for row in report.rows] == [EMPTY_GRANIAN, SECRET]
    assert all(row.measured.per_second > 100 for row in report.rows)
    assert (report.rows[1].measured.memory or 0) > 10
    assert report.errors == 0
    assert [aim.name for aim in report.aims()] == ["(a) / empty WSGI app on the fastest server", "(a) requests/s"]
    assert SECRET in report.text()
    report.write(tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text())["rows"][0]["measured"]["errors"] == 0


@pytest.mark.slow
def test_a_small_run_counts_decisions_of_the_gate(tmp_path: Path) -> None:
    require("wrk", "wrk")
    ((name, projects, measured),) = flat = by_size(tmp_path, Options(seconds=1, rounds=1, sizes=[10]))
    assert (name, projects, measured.errors) == (DECISION, 10, 0)
    assert measured.per_second > 100
    ways = [Transfer(BARE, 200, 400), Transfer(UNGATED, 180, 300), Transfer(GATED, 171, 300)]
    report = Report([], [], [], {}, gate=Gate([], flat, ways))
    met = {aim.name: aim.met for aim in report.aims()}
    assert not met[f"push of 200 MB, gateway / {BARE}"]
    assert met[f"push of 200 MB, gateway / {UNGATED}"]
    assert GATED in report.text()


def test_a_small_run_asks_for_every_list(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    database = request.config.getoption("--database")
    if database == "mariadb":
        pytest.skip("long lists are measured on SQLite and PostgreSQL")
    rows = long_lists(tmp_path, database, 1, SMALL)
    assert {row.who for row in rows} == {"admin", "user-000002"}
    assert len(rows) == len(list(questions()))
    assert all(0 < row.p50 <= row.p99 for row in rows)
    slow = Timed("/slow", "admin", 1.0, AIM + 1.0, 1.0)
    lines = table([*rows, slow]).splitlines()
    assert lines[-3] == f"| /slow | admin | 1.0 | {AIM + 1}.0 | 1.0 | MISSED |"
    assert lines[-1].endswith(f"of {len(rows) + 1} lists within {AIM} ms.")


def test_garbage_is_collected_from_both_kinds_of_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    rows = list(collecting(tmp_path, 20, 4))
    assert [(row.where, row.workers) for row in rows] == [("directory", 0), ("directory", 1), ("directory", 4), ("bucket", 1)]
    missed = collected([*rows, Collected("bucket", 1, 99, 100)])
    assert missed.splitlines()[-1] == "| bucket | 1 | 99 |  | 100: MISSED |"


def test_wrk_reports_are_read() -> None:
    report = """
  Latency Distribution
     50%  850.00us
     99%    1.25s
  Socket errors: connect 0, read 2, write 0, timeout 1
  Non-2xx or 3xx responses: 4
  80493 requests in 4.00s, 120.00MB read
Requests/sec:  20123.45
"""
    assert parse(report) == Measured(20123.45, 0.85, 1250.0, 80493, 7)


def test_only_ratios_that_miss_by_far_fail_a_check() -> None:
    assert Aim("at least", 0.30, 0.5, at_least=True, is_ratio=True).missed_by_far
    assert not Aim("nearly", 0.45, 0.5, at_least=True, is_ratio=True).missed_by_far
    assert Aim("at most", 1.6, 1.2, at_least=False, is_ratio=True).missed_by_far
    assert not Aim("this machine's", 1.0, 9000, at_least=True, is_ratio=False).missed_by_far
