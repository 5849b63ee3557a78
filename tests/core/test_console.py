"""Tables for people, and the same for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from authsvc.core.console import show

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROW = {
    "id": 7,
    "long": "x" * 120,
    "off": False,
    "none": None,
    "at": NOW,
    "claims": {"ref": "main", "n": 1},
    "actions": ["pull", "push"],
}


def test_a_pipe_gets_one_line_for_each_row_however_wide(capsys: pytest.CaptureFixture[str]) -> None:
    show([ROW, ROW | {"id": 8}], "table")
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["id", "long", "off", "none", "at", "claims", "actions"]
    assert [line.split(maxsplit=1)[0] for line in lines] == ["7", "8"]
    assert lines[0].split(maxsplit=1)[1].split() == [
        "x" * 120,
        "no",
        "2026-01-02T03:04:05.000Z",
        "ref=main",
        "n=1",
        "pull,",
        "push",
    ]


def test_programs_get_the_values(capsys: pytest.CaptureFixture[str]) -> None:
    show([ROW], "json")
    (row,) = json.loads(capsys.readouterr().out)
    assert row == ROW | {"at": "2026-01-02T03:04:05.000Z"}


def test_what_is_read_is_for_people_only(capsys: pytest.CaptureFixture[str]) -> None:
    show([ROW], "table", lambda row: {"id": f"number {row['id']}"})
    assert capsys.readouterr().out.splitlines() == ["id      ", "number 7"]


def test_names_do_not_speak_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"name": "a\x1b[31mb\n\u202ec[bold]ä"}], "table")
    assert capsys.readouterr().out.splitlines()[1].strip() == r"a\x1b[31mb\n\u202ec[bold]ä"


def test_nothing_is_said_beside_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    show([], "table")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "none\n")
