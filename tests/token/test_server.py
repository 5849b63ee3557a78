"""The token server as the supervisor starts it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.bench.servers import prepare, token_server
from tests.support.waiting import eventually


def _workers(pid: int) -> dict[str, int]:
    """The worker processes of a server, and how many threads each has."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {child: len(list(Path(f"/proc/{child}/task").iterdir())) for child in children}


@pytest.mark.slow
def test_it_outlives_its_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """granian ends threads that had nothing to do for a while; what they leave must not take the process along."""
    monkeypatch.setenv("GRANIAN_BLOCKING_THREADS_IDLE_TIMEOUT", "5")
    prepare(tmp_path)
    with token_server(tmp_path) as server, ThreadPoolExecutor(16) as pool:
        scopes = [f"repository:library/a{number}:pull" for number in range(400)]
        path = f"{server.url}/service/token?service=harbor-registry&scope="
        assert {answer.status_code for answer in pool.map(lambda scope: requests.get(path + scope, timeout=30), scopes)} == {200}
        busy = _workers(server.pid)
        eventually(lambda: sum(_workers(server.pid).values()) <= sum(busy.values()) - 4)  # more than that have ended by then
        assert _workers(server.pid).keys() == busy.keys(), "a process died with its threads"
        assert requests.get(path + scopes[0], timeout=30).status_code == 200
