"""What a company does to its registry at once, each kind at a pace of its own, and what came of every single call."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import requests

from tests.support.rawclient import RawClient, Refused
from tests.support.stack import Stack

PASSWORD = "correct horse battery 1"
PEOPLE, PUSHERS = 6, 3


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a kind: when it was answered (monotonic seconds), how long it took, and the status (0: no answer)."""

    kind: str
    at: float
    seconds: float
    status: int


@dataclass
class Crowd:
    """Everybody at one stack. `pushed`: what was acknowledged, repository and tag -> digest."""

    stack: Stack
    calls: list[Call] = field(default_factory=list)
    pushed: dict[tuple[str, str], str] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _robot: tuple[str, str] = ("", "")

    def prepare(self) -> None:
        """People, a project for each pusher, and a robot."""
        for number in range(PEOPLE):
            user = {"username": f"user{number}", "email": f"u{number}@example.com", "realname": "x", "password": PASSWORD}
            assert self.stack.api("POST", "/users", json=user).status_code == 201
        for number in range(PUSHERS):
            assert self.stack.api("POST", "/projects", json={"project_name": f"load{number}"}).status_code == 201
        access = [{"resource": "repository", "action": action} for action in ("pull", "push")]
        robot = {
            "name": "ci",
            "level": "project",
            "duration": -1,
            "permissions": [{"kind": "project", "namespace": "load0", "access": access}],
        }
        made = self.stack.api("POST", "/robots", json=robot)
        assert made.status_code == 201, made.text
        self._robot = (made.json()["name"], made.json()["secret"])

    # -- kinds: (name, how many at once, calls a second of each, what) -------------------------------------------------------

    def kinds(self) -> list[tuple[str, int, float, Callable[[int, int], int]]]:
        """What they do: name, how many at once, calls per second of each, and the call."""
        return [
            ("push", PUSHERS, 2.0, self._push),
            ("login", 2, 1.0, self._login),
            ("robot token", 2, 5.0, self._robot_token),
            ("pull", 2, 3.0, self._pull),
            ("member", 1, 1.0, self._member),
            ("project", 1, 1.0, self._project),
            ("list", 1, 2.0, self._list),
            ("rotation", 1, 0.1, lambda who, number: self._command("keys", "rotate")),
            ("reconcile", 1, 0.1, lambda who, number: self._command("reconcile")),
            ("command", 1, 0.2, lambda who, number: self._command("users", "list")),
        ]

    def _push(self, who: int, number: int) -> int:
        repository, tag = f"load{who}/app{number % 5}", f"t{len(self.pushed)}-{number}"
        digest = self._client(self.stack.admin).push(repository, tag, content=f"{repository}:{tag}")
        self.pushed[repository, tag] = digest
        return 201

    def _login(self, who: int, number: int) -> int:
        return self.stack.token(auth=(f"user{(who * 3 + number) % PEOPLE}", PASSWORD)).status_code

    def _robot_token(self, who: int, number: int) -> int:
        return self.stack.token(f"repository:load0/app{number % 5}:pull,push", auth=self._robot).status_code

    def _pull(self, who: int, number: int) -> int:
        known = list(self.pushed.items())
        if not known:
            return 200
        (repository, tag), digest = known[number % len(known)]
        answer = self._client(self.stack.admin).manifest(repository, tag)
        assert answer.status_code != 200 or answer.headers["Docker-Content-Digest"] == digest
        return answer.status_code

    def _member(self, who: int, number: int) -> int:
        body = {"role_id": 2, "member_user": {"username": f"user{number % PEOPLE}"}}
        made = self.stack.api("POST", "/projects/load1/members", json=body)
        if made.status_code != 201:
            return made.status_code
        return self.stack.api("DELETE", f"/projects/load1/members/{made.headers['Location'].rpartition('/')[2]}").status_code

    def _project(self, who: int, number: int) -> int:
        made = self.stack.api("POST", "/projects", json={"project_name": f"short{number}"})
        return made.status_code if made.status_code != 201 else self.stack.api("DELETE", f"/projects/short{number}").status_code

    def _list(self, who: int, number: int) -> int:
        paths = ("/projects", "/projects/load0/repositories", "/projects/load0/repositories/app0/artifacts", "/auditlog-exts")
        return self.stack.api("GET", paths[number % len(paths)]).status_code

    def _command(self, *arguments: str) -> int:
        done = self.stack.cli(*arguments, check=False)
        assert done.returncode == 0, done.stderr
        return 200

    def _client(self, auth: tuple[str, str]) -> RawClient:
        return RawClient(self.stack, auth)

    # -- all of them ------------------------------------------------------------------------------------------------------

    @contextmanager
    def at_work(self, *, forgiving: bool = False) -> Iterator[None]:
        """Meanwhile all of them call. `forgiving`: who gets no answer, or is told to come again, does so.

        Raises:
            Whatever a call was answered that nobody expects, when the block ends.
        """
        self._over.clear()
        failed: list[BaseException] = []
        threads = []
        for kind, count, pace, call in self.kinds():
            for who in range(count):
                work = (kind, who, pace, call, failed, forgiving)
                threads.append(threading.Thread(target=self._work, args=work, name=f"{kind} {who}"))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join(150)
        assert not any(thread.is_alive() for thread in threads), [thread.name for thread in threads if thread.is_alive()]
        for error in failed:
            raise error

    def _work(
        self, kind: str, who: int, pace: float, call: Callable[[int, int], int], failed: list[BaseException], forgiving: bool
    ) -> None:
        number = 0
        while not (number and self._over.wait(1 / pace)):
            began = time.monotonic()
            try:
                status = call(who, number)
            except Refused as refused:
                status = refused.status
            except (requests.RequestException, AssertionError) as error:
                status = 0
                if not forgiving:
                    failed.append(error)
            self.calls.append(Call(kind, time.monotonic(), time.monotonic() - began, status))
            number += 1

    def statuses(self) -> dict[str, dict[int, int]]:
        """How often each kind was answered with what."""
        found: dict[str, dict[int, int]] = {}
        for call in self.calls:
            of_kind = found.setdefault(call.kind, {})
            of_kind[call.status] = of_kind.get(call.status, 0) + 1
        return found

    def slowest(self, kind: str) -> float:
        """The 99th percentile of a kind, in seconds."""
        times = sorted(call.seconds for call in self.calls if call.kind == kind and call.status)
        return times[min(len(times) - 1, math.ceil(len(times) * 0.99) - 1)] if times else 0.0

    def longest_silence(self, kind: str) -> float:
        """The longest time between two calls of a kind that were answered well, in seconds."""
        good = sorted(call.at for call in self.calls if call.kind == kind and 200 <= call.status < 400)
        return max((later - earlier for earlier, later in pairwise(good)), default=math.inf)
