"""A client of Harbor's that is not ours (harborapi, from PyPI): every read that we serve, and the way of a project from its making
to its end, against a real server behind nginx. It checks answers against models made from Harbor's own document."""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from harborapi import HarborAsyncClient, models
from harborapi.exceptions import StatusError

from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from tests.api.matrix import Matrix
from tests.api.operations import ADMIN
from tests.support.ports import free_ports
from tests.support.waiting import until_up

pytestmark = [
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore:Accessing the 'model_fields' attribute"),  # the client's own
]

P, R = {"project_name_or_id": "{project_name}"}, {"project_name": "{project_name}", "repository_name": "{repository_name}"}
ARTIFACT = R | {"reference": "{reference}"}
HOOK = P | {"webhook_policy_id": "{webhook_policy_id}"}
# Every method of the client that reads, with what it is asked about.
READS: dict[str, dict[str, Any]] = {
    "ping": {}, "health_check": {}, "get_system_info": {}, "get_statistics": {}, "get_permissions": {}, "get_config": {},
    "search": {"query": "here"}, "get_icon": {"digest": "{digest}"}, "get_cve_allowlist": {}, "get_audit_logs": {},
    "get_current_user": {}, "get_current_user_permissions": {"scope": "/project/{project_id}", "relative": True},
    "get_users": {}, "get_user": {"user_id": "{user_id}"}, "get_user_by_username": {"username": "admin"},
    "search_users_by_username": {"username": "admin"}, "get_usergroups": {}, "get_usergroup": {"group_id": "{group_id}"},
    "search_usergroups": {"group_name": "g"},
    "get_projects": {}, "get_project": P, "get_project_deletable": P, "get_project_summary": P, "get_project_artifacts": P,
    "project_exists": {"project_name": "{project_name}"}, "get_project_logs": {"project_name": "{project_name}"},
    "get_project_members": P, "get_project_member": P | {"member_id": "{member_id}"}, "get_project_metadata": P,
    "get_project_metadata_entry": P | {"metadata_name": "public"}, "get_project_immutable_tag_rules": P,
    "get_project_retention_id": P,
    "get_repositories": {"project_name": "{project_name}"}, "get_repository": R, "get_artifacts": R, "get_artifact": ARTIFACT,
    "get_artifact_tags": ARTIFACT, "get_artifact_accessories": ARTIFACT, "get_artifact_build_history": ARTIFACT,
    "get_labels": {"scope": "g"}, "get_label": {"label_id": "{label_id}"},
    "get_robots": {}, "get_robot": {"robot_id": "{robot_id}"}, "get_robots_v1": P, "get_robot_v1": P | {"robot_id": "{robot_id}"},
    "get_scan_all_metrics": {}, "get_scan_all_schedule": {}, "get_artifact_scan_report_log": ARTIFACT | {"report_id": "{report_id}"},
    "get_scanners": {}, "get_scanner": {"registration_id": "{registration_id}"}, "get_project_scanner": P, "get_project_scanner_candidates": P, "get_quotas": {}, "get_quota": {"id": "{quota_id}"},
    "get_registries": {}, "get_registry": {"id": "{registry_id}"}, "get_registry_info": {"id": "{registry_id}"},
    "get_registry_adapters": {}, "get_registry_providers": {},
    "get_retention_metadata": {}, "get_retention_policy": {"retention_id": "{retention_id}"},
    "get_retention_executions": {"retention_id": "{retention_id}"},
    "get_webhook_policies": P, "get_webhook_policy": HOOK, "get_webhook_policy_last_trigger": P,
    "get_webhook_jobs": P | {"policy_id": "{webhook_policy_id}"}, "get_webhook_supported_events": P,
    "get_gc_jobs": {}, "get_gc_schedule": {}, "get_gc_job": {"gc_id": "{gc_id}"}, "get_gc_log": {"gc_id": "{gc_id}"},
    "get_purge_job_history": {}, "get_purge_job_schedule": {}, "get_purge_job": {"purge_id": "{purge_id}"},
    "get_purge_job_log": {"purge_id": "{purge_id}"},
}  # fmt: skip
# Those of what answers 501 (docs/api.md), and those that need what this world has not: a directory, a certificate, a scanner.
OTHERS = {
    "get_artifact_vulnerability_reports",
    "get_replication", "get_replication_policies", "get_replication_policy", "get_replication_task_log", "get_replication_tasks",
    "get_replications", "get_scan_export", "get_scan_exports",
    "get_scanner_metadata", "search_ldap_groups", "search_ldap_users", "get_system_certificate",
    "get_system_volume_info", "get_retention_execution_task_log", "get_retention_tasks",
}  # fmt: skip
# Placeholders by another name than in our paths.
KEYS = {
    "registry_id": "/registries/{id}",
    "gc_id": "/system/gc/{run_id}",
    "purge_id": "/system/purgeaudit/{run_id}",
}


@pytest.fixture
def url(matrix: Matrix, tmp_path: Path) -> Iterator[str]:
    """The API on a real server behind the stack's nginx, with the world's database."""
    settings: Settings = matrix.world.front.flask.config["TIDEGATE"]
    http, api = free_ports(2)
    ours = {
        "STATE_DIR": str(settings.state_dir),
        "DATABASE_URL": settings.database_url,
        "REGISTRY_ADDRESS": settings.registry_address,
        "API_ADDRESS": f"127.0.0.1:{api}",
        "TOKEN_ADDRESS": f"127.0.0.1:{api}",
        "EXTERNAL_URL": f"http://127.0.0.1:{http}",
        "HTTP_PORT": str(http),
        "TLS": "false",
    }
    environ = (
        os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin"} | {f"TIDEGATE_{name}": value for name, value in ours.items()}
    )
    subprocess.run([sys.executable, "-m", "authsvc.cli", "prepare"], env=environ, check=True, capture_output=True)
    gunicorn = [sys.executable, "-m", "gunicorn", "--threads", "4", "-b", ours["API_ADDRESS"], "authsvc.wsgi:create_front()"]
    nginx = ["nginx", "-c", str(Layout(settings).config / "nginx.conf"), "-p", str(settings.state_dir)]
    ping = f"http://127.0.0.1:{http}/api/v2.0/ping"
    with _running(gunicorn, environ, tmp_path / "api.log") as process, _running(nginx, environ, tmp_path / "nginx.log"):
        until_up(process, tmp_path / "api.log", lambda: requests.get(ping, timeout=5).ok)
        yield f"http://127.0.0.1:{http}/api/v2.0"


@contextmanager
def _running(command: list[str], environ: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)


def _client(matrix: Matrix, url: str) -> HarborAsyncClient:
    return HarborAsyncClient(url=url, basicauth=matrix.headers[ADMIN]["Authorization"].removeprefix("Basic "))


def _value(matrix: Matrix, text: Any) -> Any:
    """A placeholder's value; numbers as numbers."""
    if not isinstance(text, str) or "{" not in text:
        return text
    name = text.strip("/").rpartition("{")[2].rstrip("}")
    value = matrix.here.value(name, KEYS.get(name, ""))
    filled = text.replace(f"{{{name}}}", value)
    return int(filled) if filled.isdigit() else filled


def test_the_tour_leaves_nothing_out() -> None:
    reads = {
        name
        for name, _ in inspect.getmembers(HarborAsyncClient, inspect.iscoroutinefunction)
        if name.startswith(("get_", "search")) or name in ("ping", "health_check", "project_exists")
    }
    assert reads - {"get", "get_text", "get_file"} == READS.keys() | OTHERS


def test_every_read_is_understood(matrix: Matrix, url: str) -> None:
    arguments = {name: {key: _value(matrix, text) for key, text in given.items()} for name, given in READS.items()}

    async def tour() -> list[str]:
        client = _client(matrix, url)
        wrong = []
        for name, given in arguments.items():
            try:
                assert await getattr(client, name)(**given) is not None
            except Exception as error:
                wrong.append(f"{name}: {type(error).__name__}: {str(error)[:300]}")
        await client.client.aclose()
        return wrong

    assert asyncio.run(tour()) == []


def test_the_way_of_a_project(matrix: Matrix, url: str) -> None:
    async def walk() -> None:
        client = _client(matrix, url)
        location = await client.create_project(
            models.ProjectReq(project_name="tour", metadata=models.ProjectMetadata(public="false"))
        )
        project = await client.get_project(location.rpartition("/")[2])  # it asks for the name there
        assert (project.name, project.repo_count) == ("tour", 0)
        await client.update_project("tour", models.ProjectReq(metadata=models.ProjectMetadata(public="true")))
        user = models.UserCreationReq(username="tourist", email="t@example.com", password="Long3nough", realname="T")
        user_id = int((await client.create_user(user)).rpartition("/")[2])
        member = await client.add_project_member_user("tour", user_id, 2)
        await client.update_project_member_role("tour", int(member.rpartition("/")[2]), 4)
        assert [one.role_name for one in await client.get_project_members("tour", entity_name="tourist")] == ["maintainer"]
        label = models.Label(name="new", color="#00AB9A", scope="p", project_id=project.project_id)
        label_id = int((await client.create_label(label)).rpartition("/")[2])
        robot = await client.create_robot(_robot("tour"))
        assert robot.secret
        assert (await client.refresh_robot_secret(int(robot.id or 0), "")).secret
        await client.delete_robot(int(robot.id or 0))
        await client.delete_label(label_id)
        await client.remove_project_member("tour", int(member.rpartition("/")[2]))
        await client.delete_user(user_id)
        await client.delete_project("tour")
        with pytest.raises(StatusError) as refused:
            await client.get_project("tour")
        assert refused.value.status_code == 404
        await client.client.aclose()

    asyncio.run(walk())


def _robot(project: str) -> models.RobotCreate:
    access = [models.Access(resource="repository", action="pull")]
    permission = models.RobotPermission(kind="project", namespace=project, access=access)
    return models.RobotCreate(name="ci", level="project", duration=-1, permissions=[permission])
