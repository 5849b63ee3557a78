"""The kinds of registries that there are, and what can be done with each. Source: Harbor's replication adapters. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

HARBOR, DOCKER_HUB, PLAIN = "harbor", "docker-hub", "docker-registry"
LOCAL = 0  # the id of our own registry

# Known addresses, offered by the pages; the first of Docker Hub is the only one there is.
_ENDPOINTS: dict[str, dict[str, str]] = {
    DOCKER_HUB: {"hub.docker.com": "https://hub.docker.com"},
    "github-ghcr": {"ghcr.io": "https://ghcr.io"},
    "google-gcr": {
        "gcr.io": "https://gcr.io",
        "us.gcr.io": "https://us.gcr.io",
        "eu.gcr.io": "https://eu.gcr.io",
        "asia.gcr.io": "https://asia.gcr.io",
    },
}
ADAPTERS = (
    "ali-acr",
    "aws-ecr",
    "azure-acr",
    DOCKER_HUB,
    PLAIN,
    "github-ghcr",
    "google-gcr",
    HARBOR,
    "huawei-SWR",
    "jfrog-artifactory",
    "tencent-tcr",
    "volcengine-cr",
)


@dataclass(frozen=True, slots=True)
class Filter:
    """By what can be chosen what is copied: `style` is `input`, `radio` or `list`."""

    type: str
    style: str
    values: tuple[str, ...] = ()


def infos() -> dict[str, dict[str, Any]]:
    """Harbor's `adapterinfos`: the known addresses of each kind that has some, and what its credentials are called."""
    return {
        kind: {
            "endpoint_pattern": {
                "endpoint_type": "EndpointPatternTypeFix" if len(known) == 1 else "EndpointPatternTypeList",
                "endpoints": [{"key": key, "value": value} for key, value in known.items()],
            }
        }
        for kind, known in _ENDPOINTS.items()
    }


def filters(kind: str) -> tuple[Filter, ...]:
    """By what replication can choose there."""
    common = (Filter("name", "input"), Filter("tag", "input"))
    return (*common, Filter("label", "input"), Filter("resource", "radio", ("image", "artifact"))) if kind == HARBOR else common


def triggers(*, local: bool) -> tuple[str, ...]:
    """What can start a replication from there; only our own registry tells of pushes."""
    return ("manual", "scheduled", "event_based") if local else ("manual", "scheduled")


def distribution_url(kind: str, url: str) -> str:
    """Where a registry's `/v2/` is; Docker Hub's is not at the address that people know."""
    return "https://registry-1.docker.io" if kind == DOCKER_HUB else url


def may_give_tokens(kind: str, host: str, realm_host: str) -> bool:
    """Whether credentials may go to a realm: that on the registry's own host. Any other could be made up by whoever answers
    (CVE-2026-33540); Docker Hub's is known."""
    return realm_host == host or (kind == DOCKER_HUB and realm_host == "auth.docker.io")
