"""What a proxy cache fetches, and how, from its project's metadata. Source: Harbor's `proxy_*` metadata. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authsvc.core import patterns
from authsvc.registries.providers import DOCKER_HUB

DOUBLESTAR = "doublestar"


@dataclass(frozen=True, slots=True)
class Terms:
    """`speed`: bytes a second of one blob, 0: as fast as it goes; `at_once`: requests to the other registry, 0: any number;
    `pattern`: of the repositories there that may be had, "": all; `stays`: what is gone there is served as long as it is here;
    `refers`: what is attached to something there is listed here, too."""

    speed: int = 0
    at_once: int = 0
    pattern: str = ""
    stays: bool = False
    refers: bool = False

    def allows(self, name: str) -> bool:
        """Whether a repository there may be had."""
        return patterns.matches(self.pattern, name)


def terms(metadata: Mapping[str, str]) -> Terms:
    """What a project's metadata says; numbers below 1 say nothing."""
    return Terms(
        speed=max(0, int(metadata.get("proxy_speed_kb", 0))) * 1024,
        at_once=max(0, int(metadata.get("max_upstream_conn", 0))),
        pattern=metadata.get("proxy_cache_filter_pattern", ""),
        stays=metadata.get("proxy_cache_local_on_not_found") == "true",
        refers=metadata.get("proxy_referrer_api") == "true",
    )


def name_there(kind: str, repository: str) -> str:
    """What a repository of ours is called in a registry of that kind: as here, without the project. Docker Hub's own images have
    a namespace that nobody writes."""
    name = repository.partition("/")[2]
    return f"library/{name}" if kind == DOCKER_HUB and "/" not in name else name
