"""Every list of the API on a large installation: what a page costs, with filters, sorted, first and deep."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from authsvc.core.api import PREFIX
from tests.bench.big import BIG, MANY
from tests.support.world import World, basic

_REPOSITORY = f"/projects/{BIG}/repositories/{MANY}"
_ARTIFACTS = f"{_REPOSITORY}/artifacts"
_WITH = "with_scan_overview=true&with_tag=true&with_label=true&with_accessory=true&with_immutable_status=true"


@dataclass(frozen=True, slots=True)
class List:
    """A list by its path in the OpenAPI document, where it is long, and how else it is asked for."""

    name: str
    path: str
    variants: tuple[str, ...] = ()
    who: tuple[str, ...] = ("admin",)


_P, _R = "/projects/{project_name_or_id}", "/projects/{project_name}/repositories/{repository_name}"
_HOOK = f"{_P}/webhook/policies/{{webhook_policy_id}}"
_AUDIT = (
    "q=operation=pull",
    "q=operation=~pul",
    "q=resource_type=artifact",
    "q=username=user-000005",
    "q=username=~user-0000",
    "q=resource=~v123",
    "q=op_time=[2024-06-01~2024-06-02]",
    "q=operation={create delete},username=~user-00",
    "sort=op_time",
    "sort=-username",
    "sort=operation",
    "sort=resource_type",
    "sort=resource",
    "page=900",
)
_ARTIFACT = (
    "q=tags=~v00",
    "q=tags=*",
    "q=tags=nil",
    "q=labels=(1)",
    "q=type=IMAGE",
    "sort=size",
    "sort=-size",
    "sort=-pull_time",
    "page=90",
    _WITH,
)
_FOUND = (
    "q=cve_id=CVE-2026-00007",
    "q=cve_id=~0007",
    "q=severity=Critical",
    "q=severity=Low",
    "q=package=package-007",
    "q=cvss_score_v3=[9.0~]",
    f"q=repository_name={BIG}/{MANY},severity=Low",
    "q=tag=v123456",
    "with_tag=true",
    "page=90",
)
LISTS = [
    List("/audit-logs", "/audit-logs", _AUDIT, ("admin", "user-000002")),
    List("/auditlog-exts", "/auditlog-exts"),
    List("/labels", "/labels?scope=g", ("name=label-001", "q=name=~001", "sort=-name", "page=40")),
    List(
        "/projects",
        "/projects",
        ("name=team-0", "q=name=~00123", "public=true", "sort=-name", "sort=creation_time", "page=900"),
        ("admin", "user-000002"),
    ),
    List(
        f"{_P}/artifacts",
        f"/projects/{BIG}/artifacts",
        (*_ARTIFACT, "latest_in_repository=true&q=media_type=~image.config"),
    ),
    List(f"{_P}/immutabletagrules", f"/projects/{BIG}/immutabletagrules"),
    List(f"{_P}/members", f"/projects/{BIG}/members", ("entityname=001", "page=90")),
    List(f"{_P}/webhook/policies", f"/projects/{BIG}/webhook/policies"),
    List(f"{_HOOK}/executions", f"/projects/{BIG}/webhook/policies/1/executions"),
    List(f"{_HOOK}/executions/{{execution_id}}/tasks", f"/projects/{BIG}/webhook/policies/1/executions/2/tasks"),
    List(f"{_P}/webhook/jobs", f"/projects/{BIG}/webhook/jobs?policy_id=1"),
    List(f"{_P}/robots", f"/projects/{BIG}/robots", ("q=name=~001", "page=40")),
    List("/projects/{project_name}/auditlog-exts", f"/projects/{BIG}/auditlog-exts"),
    List("/projects/{project_name}/logs", f"/projects/{BIG}/logs", _AUDIT),
    List(
        "/projects/{project_name}/repositories",
        f"/projects/{BIG}/repositories",
        ("q=name=~app-001", "sort=-name", "sort=pull_count", "page=90"),
    ),
    List(f"{_R}/artifacts", _ARTIFACTS, _ARTIFACT),
    List(f"{_R}/artifacts/{{reference}}/accessories", f"{_ARTIFACTS}/w0000/accessories"),
    List(
        f"{_R}/artifacts/{{reference}}/tags",
        f"{_ARTIFACTS}/w0000/tags",
        ("q=name=~w01", "sort=name", "with_immutable_status=true"),
    ),
    List("/quotas", "/quotas", ("sort=used.storage", "sort=-hard.storage", "page=900")),
    List(
        "/repositories",
        "/repositories",
        ("q=name=~00123", "sort=-name", "sort=pull_count", "sort=-update_time", "page=900"),
        ("admin", "user-000002"),
    ),
    List("/registries", "/registries"),
    List("/replication/executions", "/replication/executions", ("policy_id=1", "status=InProgress", "trigger=manual")),
    List("/replication/executions/{id}/tasks", "/replication/executions/3/tasks"),
    List("/replication/policies", "/replication/policies", ("sort=-name",)),
    List("/retentions/{retention_id}/executions", "/retentions/1/executions"),
    List("/retentions/{retention_id}/executions/{execution_id}/tasks", "/retentions/1/executions/1/tasks"),
    List("/robots", "/robots", ("q=name=~001", "page=40")),
    List("/scanners", "/scanners", ("q=name=~001", "page=9")),
    List(f"{_P}/scanner/candidates", f"/projects/{BIG}/scanner/candidates"),
    List("/schedules", "/schedules"),
    List("/security/vul", "/security/vul?tune_count=true", _FOUND),
    List(f"{_P}/security/vul", f"/projects/{BIG}/security/vul?tune_count=true", _FOUND),
    List("/system/gc", "/system/gc", ("page=40",)),
    List("/system/login-failures", "/system/login-failures"),
    List("/system/purgeaudit", "/system/purgeaudit"),
    List("/system/quarantine", "/system/quarantine", ("page=90",)),
    List("/system/trust-rules", "/system/trust-rules"),
    List("/usergroups", "/usergroups", ("group_name=001", "page=90")),
    List("/usergroups/search", "/usergroups/search?groupname=00"),
    List("/users", "/users", ("q=username=~001", "sort=-creation_time", "page=190")),
    List("/users/search", "/users/search?username=00"),
    List("/users/{user_id}/access-tokens", "/users/1/access-tokens"),
    List("/users/{user_id}/refresh-tokens", "/users/1/refresh-tokens"),
    List("/users/{user_id}/sessions", "/users/1/sessions"),
]
# They take a list's parameters and are none of ours: one artifact, and what a directory answers.
NO_LISTS = {
    f"{_R}/artifacts/{{reference}}",
    "/ldap/groups/search",
    "/ldap/users/search",
    "/system/damages",  # no more of it than goes wrong
}


# What is no list of the API's and grows as long.
OTHERS = (
    "/v2/_catalog?n=100",
    "/v2/_catalog?n=100&last=team-050000/app",
    f"/v2/{BIG}/{MANY}/tags/list?n=100",
    f"/v2/{BIG}/{MANY}/tags/list?n=100&last=v500000",
    f"{PREFIX}/search?q=app-00123",
    f"{PREFIX}/search?q=team-0012",
)


@dataclass(frozen=True, slots=True)
class Timed:
    """What a page costs in the process that answers, without a server, in ms: the time that passes, and the processor time of
    this process, in which PostgreSQL's has no part."""

    path: str
    who: str
    p50: float
    p99: float
    cpu: float


def measure(world: World, pages: int) -> Iterator[Timed]:
    """Ask for a page of 100 of everything, each that often."""
    for path, who in questions():
        _asked(world, path, who)  # what is read once is known now
        taken = [_asked(world, path, who) for _ in range(pages)]
        wall, cpu = sorted(wall for wall, _ in taken), sorted(cpu for _, cpu in taken)
        yield Timed(path.removeprefix(PREFIX), who, wall[pages // 2], wall[int(pages * 0.99)], cpu[pages // 2])


def questions() -> Iterator[tuple[str, str]]:
    """(path, who asks) of everything that is measured."""
    for one in LISTS:
        first = f"{PREFIX}{one.path}{'&' if '?' in one.path else '?'}page_size=100"
        for who in one.who:
            yield first, who
            yield from ((f"{first}&{variant}", who) for variant in one.variants)
    yield from ((path, "admin") for path in OTHERS)


def _asked(world: World, path: str, who: str) -> tuple[float, float]:
    """Milliseconds that passed, and of the processor's."""
    began, used = time.perf_counter(), time.thread_time()
    answer = world.client.get(path, headers=basic(who))
    taken = (time.perf_counter() - began) * 1000, (time.thread_time() - used) * 1000
    assert answer.status_code == 200, (path, answer.text)
    return taken
