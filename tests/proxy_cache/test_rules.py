"""What a project's metadata says, and what a repository is called elsewhere."""

from __future__ import annotations

import pytest

from authsvc.proxy_cache.rules import Terms, name_there, terms


def test_what_says_nothing_limits_nothing() -> None:
    assert terms({}) == terms({"proxy_speed_kb": "-1", "max_upstream_conn": "-1"}) == Terms()
    said = terms({"proxy_speed_kb": "2", "max_upstream_conn": "3", "proxy_cache_local_on_not_found": "true"})
    assert said == Terms(speed=2048, at_once=3, stays=True)


@pytest.mark.parametrize(
    ("pattern", "name", "allowed"),
    [
        ("", "library/busybox", True),
        ("library/**", "library/busybox", True),
        ("library/**", "team/busybox", False),
        ("{library,team}/*", "team/app", True),
        ("{library,team}/*", "team/deep/app", False),
    ],
)
def test_only_what_the_pattern_lets_is_had(pattern: str, name: str, allowed: bool) -> None:
    assert terms({"proxy_cache_filter_pattern": pattern}).allows(name) is allowed


def test_docker_hubs_own_images_have_a_namespace_that_nobody_writes() -> None:
    assert name_there("docker-hub", "hub/busybox") == "library/busybox"
    assert name_there("docker-hub", "hub/library/busybox") == "library/busybox"
    assert name_there("harbor", "there/busybox") == "busybox"
    assert name_there("docker-registry", "there/a/b/c") == "a/b/c"
