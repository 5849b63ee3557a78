"""Connections of threads: one for each, which does not outlive it for long."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Thread

from sqlalchemy import text

from tests.support.waiting import eventually
from tests.support.world import World


def is_gone(number: int | None) -> bool:
    """The kernel's thread, a moment after Python's has been joined."""
    return not Path(f"/proc/self/task/{number}").exists()


def test_the_connection_of_a_thread_that_has_ended_is_closed_by_the_next_one(world: World) -> None:
    """granian ends a thread that had nothing to do for half a minute, and starts another for the next request."""
    reader = world.front.flask.extensions["tidegate"].read_version
    before, numbers, connections = len(reader._opened), [], []

    def read() -> None:
        numbers.append(reader.execute(text("SELECT 7")).scalar())
        connections.append(reader.connection)

    for _ in range(5):
        thread = Thread(target=read)
        thread.start()
        thread.join()
        eventually(partial(is_gone, thread.native_id))
    assert numbers == [7] * 5
    assert len(set(map(id, connections))) == 5
    assert [connection.closed for connection in connections] == [True] * 4 + [False]
    assert len(reader._opened) == before + 1


def test_a_thread_keeps_its_connection_and_a_closed_reader_has_none(world: World) -> None:
    reader = world.front.flask.extensions["tidegate"].read_version
    with ThreadPoolExecutor(1) as pool:
        first, again = (pool.submit(lambda: reader.connection).result() for _ in range(2))
        assert first is again
        reader.close()
        assert first.closed
        assert not pool.submit(lambda: reader.connection).result().closed
