"""Many at once: one tag, one winner; and what the index says last is what the registry has."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.gate.conftest import Site
from tests.gate.test_writes import left_over
from tests.support.registry import digest_of
from tests.support.rounds import rounds

ROUNDS = rounds(3, 1000)
PUSHERS = 64
RULE = {
    "disabled": False,
    "action": "immutable",
    "template": "immutable_template",
    "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "**"}],
    "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
}


def race(site: Site, pushes: Sequence[tuple[str, bytes]]) -> list[int]:
    """Push all of these (tag, manifest) at once; their statuses, in the same order."""
    start, token = Barrier(len(pushes)), site.bearer(f"repository:{site.repository}:pull,push")

    def push(one: tuple[str, bytes]) -> int:
        start.wait()
        while True:
            answer = site.put(*one, token)
            if answer.status_code != 503:
                return answer.status_code
            time.sleep(random.random())  # too long a queue: come again, as the answer says

    with ThreadPoolExecutor(len(pushes)) as pool:
        return list(pool.map(push, pushes))


@pytest.mark.slow
def test_of_64_pushes_of_one_immutable_tag_exactly_one_is_let_in(site: Site) -> None:
    assert site.world.api("POST", f"/projects/{site.project}/immutabletagrules", "admin", json=RULE).status_code == 201
    bodies = [site.manifest(str(number)) for number in range(PUSHERS)]
    for number in range(ROUNDS):
        statuses = race(site, [(f"v{number}", data) for data in bodies])
        assert sorted(statuses) == [201] + [412] * (PUSHERS - 1)
        winner = digest_of(bodies[statuses.index(201)])
        assert site.registry.client.digest_of(site.repository, f"v{number}") == winner
        assert site.artifacts()[f"v{number}"] == winner
    assert left_over(site) == 0
    assert len(site.audit("create")) == ROUNDS


def test_a_tag_that_many_overwrite_is_the_same_in_index_and_registry(site: Site) -> None:
    bodies = [site.manifest(str(number)) for number in range(12)]
    for _ in range(4):
        assert set(race(site, [("latest", data) for data in bodies])) == {201}
        assert site.artifacts()["latest"] == site.registry.client.digest_of(site.repository, "latest")
    assert left_over(site) == 0


def test_pushes_and_deletions_of_one_digest_leave_no_tag_without_a_manifest(site: Site) -> None:
    data = site.manifest()
    digest = digest_of(data)
    token = site.bearer(f"repository:{site.repository}:pull,push,delete", "maintainer")

    def push(number: int) -> int:
        return site.put(f"t{number}", data, token).status_code

    def delete(_: int) -> int:
        return site.delete(digest, token).status_code

    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            pushed = [pool.submit(push, number) for number in range(6)]
            deleted = [pool.submit(delete, number) for number in range(2)]
            assert {future.result() for future in pushed} <= {201, 503}
            assert {future.result() for future in deleted} <= {202, 404, 503}
    stored = {f"t{number}": site.registry.client.digest_of(site.repository, f"t{number}") for number in range(6)}
    assert site.artifacts() == {tag: found for tag, found in stored.items() if found}
    assert left_over(site) == 0
