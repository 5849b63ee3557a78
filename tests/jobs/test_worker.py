"""The loops of a worker: whatever a step comes to, there is a pause after it."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from authsvc.core.errors import Unavailable
from authsvc.core.settings import Settings
from authsvc.distribution.client import RegistryClient
from authsvc.worker import Worker


class Pauses:
    """In the place of the event that ends a worker: notes how long each wait for it would take, and comes after so many."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.taken: list[float] = []
        self._is_set = False

    def wait(self, seconds: float) -> bool:
        self.taken.append(seconds)
        self._is_set |= len(self.taken) > self._count
        return self._is_set

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True


@pytest.mark.parametrize(
    "outcome", [True, False, Unavailable("away"), RuntimeError("a mistake")], ids=["busy", "idle", "away", "broken"]
)
def test_no_loop_goes_on_without_a_pause(settings: Settings, outcome: Any) -> None:
    def step(_registry: RegistryClient) -> bool:
        if isinstance(outcome, Exception):
            raise outcome
        return bool(outcome)

    worker: Any = Worker(settings)
    for name, _, shortest, longest in worker._loops():
        worker._stop = pauses = Pauses(20)
        with capture_logs():
            worker._loop(step, shortest, longest)
        first, *others = pauses.taken
        assert first == 0, name
        assert min(others) >= 0.02, name
        if outcome is False:
            assert others[-1] == longest >= 0.25, name
        assert not worker._is_broken


def test_a_dead_thread_ends_the_worker(settings: Settings) -> None:
    def step(_registry: RegistryClient) -> bool:
        raise SystemExit

    worker: Any = Worker(settings)
    with pytest.raises(SystemExit):
        worker._loop(step, 1, 1)
    assert worker._stop.is_set()
    assert worker._is_broken
