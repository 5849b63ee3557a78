"""`authsvc replication`: what there is, and a run that is waited for."""

from __future__ import annotations

import json
import threading

import pytest

from authsvc.core.errors import NotFound
from authsvc.jobs.runner import Runner
from authsvc.wiring import JOBS
from tests.replication.conftest import Pair
from tests.support.console import Run, runner


@pytest.fixture
def command(pair: Pair) -> Run:
    return runner(pair.world)


def test_a_run_is_waited_for_and_says_what_is_equal(pair: Pair, command: Run) -> None:
    pair.push(pair.here, pair.repository, "v1")
    pair.policy(name="nightly")
    done = threading.Event()

    def work() -> None:
        runner = Runner(JOBS, pair.settings, "tests:0")
        with pair.world.front.flask.app_context():
            while not done.is_set():
                runner.run_next(pair.here.client)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        ran = command("replication", "run", "nightly")
    finally:
        done.set()
        worker.join()
    said = json.loads(ran.output[ran.output.index("{\n") :])
    assert (ran.exit_code, said["status"], said["artifacts"], said["equal"]) == (0, "Success", 1, 1)
    assert said["outcome"].startswith("1 of 1 artifacts equal by digest at")
    (listed,) = json.loads(command("replication", "list", "-o", "json").output)
    assert (listed["name"], listed["from"], listed["to"], listed["status"]) == ("nightly", "this registry", "far", "Success")
    assert "nightly" in command("replication", "list").output


def test_one_that_is_not_there_is_said_to_be_none(command: Run) -> None:
    ran = command("replication", "run", "nonsense")
    assert isinstance(ran.exception, NotFound)
    assert ran.exception.message == "replication policy nonsense not found"
