"""Who waits to write to SQLite looks often, for so long and no longer, and who has just written lets others go first."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DatabaseError, OperationalError

from authsvc.core import turns


class Clock:
    """The time of `turns`, which goes by when somebody sleeps; `slept` (seconds) is followed by `then`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.then: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        self.then()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(turns, "time", made)
    monkeypatch.setattr(turns, "_own", type("Own", (), {})())
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "db")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE things (id INTEGER)")
    return tmp_path / "db"


@pytest.fixture
def other(file: Path) -> Iterator[sqlite3.Connection]:
    """Somebody else who writes."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


@pytest.fixture
def ours(file: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{file}", connect_args={"isolation_level": None})
    with engine.connect() as connection:
        yield connection
        connection.connection.rollback()
    engine.dispose()


def is_writing(connection: Connection) -> bool:
    return bool(connection.connection.dbapi_connection.in_transaction)  # type: ignore[union-attr] # there is one


def test_who_waits_is_there_when_the_other_ends(clock: Clock, other: sqlite3.Connection, ours: Connection) -> None:
    def end_after_three() -> None:
        if len(clock.slept) == 3:
            other.execute("COMMIT")

    clock.then = end_after_three
    turns.begin(ours)
    assert is_writing(ours)
    assert len(clock.slept) == 3
    assert max(clock.slept) <= 0.002


def test_nobody_waits_for_ever(clock: Clock, other: sqlite3.Connection, ours: Connection) -> None:
    with pytest.raises(OperationalError, match="locked"):
        turns.begin(ours)
    assert turns.WAIT <= sum(clock.slept) < turns.WAIT + 0.1
    assert ours.exec_driver_sql("PRAGMA busy_timeout").scalar() == turns.WAIT * 1000, "others wait as they did"


def test_what_is_wrong_otherwise_is_said_at_once(clock: Clock, file: Path, ours: Connection) -> None:
    """A disk that fails, a file that is damaged: in the words that are understood everywhere."""
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(DatabaseError, match="not a database"):
        turns.begin(ours)
    assert clock.slept == []


def test_who_has_just_written_lets_others_go_first(clock: Clock, ours: Connection) -> None:
    turns.begin(ours)
    assert clock.slept == []
    ours.connection.rollback()
    turns.end()
    turns.begin(ours)
    assert clock.slept == [turns._MOMENT]
    ours.connection.rollback()
    turns.end()
    clock.now += 2 * turns._MOMENT
    turns.begin(ours)
    assert clock.slept == [turns._MOMENT], "that was a while ago"


def test_who_has_only_read_need_not_wait(clock: Clock, ours: Connection) -> None:
    turns.end()
    turns.begin(ours)
    assert clock.slept == []
