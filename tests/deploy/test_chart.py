"""The chart for Kubernetes: rendered by the real helm, held against Kubernetes' own schemas and our own parser of settings."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from authsvc.core.settings import Settings
from tests.support.chart import CHART, EXAMPLES, helm

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
VERSIONS = ("1.29", "1.31", "1.33")
ELSEWHERE = {"HTTPRoute", "ServiceMonitor", "PrometheusRule"}  # kinds that are not Kubernetes' own
Object = dict[str, Any]

pytestmark = pytest.mark.once


@lru_cache
def rendered(example: str) -> str:
    done = helm("template", "tidegate", str(CHART), "--namespace", "tidegate", "-f", str(EXAMPLES / f"{example}.yaml"))
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(example: str) -> list[Object]:
    return [one for one in yaml.safe_load_all(rendered(example)) if one]


def of_kind(example: str, kind: str) -> Object:
    (found,) = [one for one in objects(example) if one["kind"] == kind]
    return found


def pods(example: str) -> Iterator[Object]:
    for kind in ("Deployment", "Job"):
        yield of_kind(example, kind)["spec"]["template"]["spec"]


def containers(pod: Object) -> list[Object]:
    return [*pod.get("initContainers", []), *pod["containers"]]


@pytest.mark.parametrize("example", NAMES)
def test_helm_finds_nothing(example: str) -> None:
    done = helm("lint", "--strict", str(CHART), "-f", str(EXAMPLES / f"{example}.yaml"))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("example", NAMES)
def test_rendered_twice_it_is_the_same(example: str) -> None:
    before = rendered(example)
    rendered.cache_clear()
    assert rendered(example) == before
    assert not [one for one in objects(example) if one["kind"] == "Secret"], "secrets are somebody else's"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("example", NAMES)
def test_kubernetes_takes_it(example: str, version: str) -> None:
    checked = [one for one in objects(example) if one["kind"] not in ELSEWHERE]
    for one in checked:
        kubernetes_validate.validate(one, version, strict=True)
    assert len(checked) >= 5


WRONG = [
    ("{}", "externalURL"),
    ("{externalURL: registry.example.com}", "externalURL"),
    ("{externalUrl: 'https://x'}", "externalUrl"),
    ("{database: {url: 'postgresql://tidegate:secret@host/x'}}", "url"),
    ("{database: {uri: x}}", "uri"),
    ("{storage: {sise: 1Gi}}", "sise"),
    ("{settings: {token_wokers: 2}}", "token_wokers"),
    ("{settings: {token_workers: many}}", "token_workers"),
    ("{settings: {external_url: 'https://x'}}", "external_url"),
    ("{replicas: 2}", "accessModes"),
    ("{autoscaling: {enabled: true}}", "accessModes"),
    ("{backup: {recipients: [age1x]}}", "existingClaim"),
    ("{image: {digest: 'sha256:1'}}", "digest"),
    ("{metrics: {rules: {enable: true}}}", "enable"),
]


@pytest.mark.parametrize(("values", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_means_nothing_is_refused(values: str, said: str) -> None:
    base = [] if values == "{}" else ["-f", str(EXAMPLES / "small.yaml")]
    done = helm("template", "tidegate", str(CHART), *base, "-f", "-", stdin=values)
    assert done.returncode != 0
    assert said in done.stderr


def schema() -> Object:
    found: Object = json.loads((CHART / "values.schema.json").read_text())
    return found


def test_the_schema_knows_every_value_and_no_other() -> None:
    def compare(values: Object, known: Object, path: str) -> None:
        assert set(values) == set(known) - ({"global"} if not path else set()), path
        for name, value in values.items():
            below = known[name].get("properties")
            if below is not None and isinstance(value, dict) and name != "settings":
                compare(value, below, f"{path}.{name}")

    compare(yaml.safe_load((CHART / "values.yaml").read_text()), schema()["properties"], "")


def test_every_setting_can_be_set() -> None:
    """By a value of its own, or among `settings`, with its type."""
    by_value = {
        name.removeprefix("TIDEGATE_").lower() for name in environment("full") | environment("tls") | environment("bucket")
    }
    others = schema()["properties"]["settings"]["properties"]
    not_here = {
        "state_dir",
        "registry_program",
        "token_address",
        "api_address",
        "webhook_address",
        "registry_address",
        "cache_address",
    }
    known = {field.name: str(field.type) for field in fields(Settings)}
    assert (
        set(others) == set(known) - (by_value - set(yaml.safe_load((EXAMPLES / "full.yaml").read_text())["settings"])) - not_here
    )
    types = {"int": "integer", "bool": "boolean"}
    assert {name: one["type"] for name, one in others.items()} == {name: types.get(known[name], "string") for name in others}


def environment(example: str) -> dict[str, str]:
    """What Tidegate's container is given."""
    pod = of_kind(example, "Deployment")["spec"]["template"]["spec"]
    (authsvc,) = [one for one in containers(pod) if one["name"] == "authsvc"]
    return {one["name"]: one["value"] for one in authsvc["env"] if one["name"].startswith("TIDEGATE_")}


@pytest.mark.parametrize("example", NAMES)
def test_our_own_parser_takes_the_settings(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(example).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TIDEGATE_STATE_DIR", "/var/lib/tidegate")
    settings = Settings.from_env()
    assert settings.external_url == "https://registry.example.com"
    assert settings.tls is (example == "tls")
    if example == "full":
        assert (settings.token_workers, settings.pull_grace, settings.database_pooler) == (4, True, True)
        assert settings.listen_hosts == ("::",)


@pytest.mark.parametrize("example", NAMES)
def test_what_is_named_is_there(example: str) -> None:
    """Each mount has its volume, and each path that a setting names lies below a mount."""
    for pod in pods(example):
        volumes = {volume["name"] for volume in pod["volumes"]}
        for one in containers(pod):
            mounts = {mount["mountPath"]: mount["name"] for mount in one["volumeMounts"]}
            assert set(mounts.values()) <= volumes
            assert len(mounts) == len(one["volumeMounts"])
            named = {entry["name"]: entry["value"] for entry in one.get("env", []) if entry["value"].startswith("/")}
            if one["name"] != "authsvc":  # the others see neither what is stored nor backups
                named = {name: path for name, path in named.items() if not name.endswith(("_STORAGE", "_DIRECTORY"))}
            for path in named.values():
                assert any(path == mount or path.startswith(f"{mount}/") for mount in mounts), path


@pytest.mark.parametrize("example", NAMES)
def test_pods_are_restricted(example: str) -> None:
    """As the strictest of Kubernetes' pod security standards asks, and more."""
    for pod in pods(example):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for one in containers(pod):
            context = one["securityContext"]
            assert context == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert one["resources"]["limits"]["memory"]
            assert not re.search(r":latest$|^[^:@]+$", one["image"])
            for entry in one.get("env", []):
                assert not re.search("password|secret|key", entry["name"], re.IGNORECASE) or entry["value"].startswith("/")


def test_nginx_ends_first() -> None:
    """Sidecars end after the containers of a pod; and nobody but nginx is one."""
    for example in NAMES:
        pod = of_kind(example, "Deployment")["spec"]["template"]["spec"]
        assert [one["name"] for one in pod["containers"]] == ["nginx"]
        assert [one["name"] for one in pod["initContainers"] if one.get("restartPolicy") == "Always"] == ["authsvc", "registry"]


def test_selectors_never_change() -> None:
    """A Deployment cannot be given another one: an upgrade would be refused."""
    for example in NAMES:
        wanted = {"app.kubernetes.io/name": "tidegate", "app.kubernetes.io/instance": "tidegate"}
        assert of_kind(example, "Deployment")["spec"]["selector"] == {"matchLabels": wanted}
    other = yaml.safe_load_all(helm("template", "mine", str(CHART), "-f", str(EXAMPLES / "small.yaml")).stdout)
    assert {one["metadata"]["name"].partition("-")[0] for one in other} == {"mine"}


def test_the_job_of_the_upgrade_is_in_no_service() -> None:
    labels = of_kind("full", "Job")["spec"]["template"]["metadata"]["labels"]
    selector = of_kind("full", "Deployment")["spec"]["selector"]["matchLabels"]
    assert not selector.items() <= labels.items()


def test_what_is_watched_is_there() -> None:
    assert (CHART / "files" / "alerts.yaml").read_text() == (ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text()
    documented = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))
    panels = json.loads((CHART / "files" / "dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        named = re.findall(r"(?:tidegate|harbor)_\w+", panel["targets"][0]["expr"])
        assert named, panel["title"]
        for name in named:
            assert name in documented or re.sub(r"_(?:count|bucket|sum)$", "", name) in documented, name


def test_manifests_without_helm_are_the_same() -> None:
    """`make manifests` writes them."""
    written = (ROOT / "deploy" / "kubernetes" / "tidegate.yaml").read_text()
    assert written.partition("---\n")[2] == rendered("small").partition("---\n")[2]


def test_the_notes_say_how_to_log_in(tmp_path: Path) -> None:
    """helm shows them only when it installs; here they are in an object."""
    chart = tmp_path / "tidegate"
    shutil.copytree(CHART, chart)
    (chart / "templates" / "NOTES.txt").rename(chart / "notes")
    (chart / "templates" / "notes.yaml").write_text(
        'apiVersion: v1\nkind: Notes\nsaid: {{ tpl (.Files.Get "notes") . | quote }}\n'
    )

    def notes(example: str, *options: str) -> str:
        done = helm("template", "tidegate", str(chart), "-f", str(EXAMPLES / f"{example}.yaml"), *options)
        (found,) = [one for one in yaml.safe_load_all(done.stdout) if one and one["kind"] == "Notes"]
        return str(found["said"])

    for example in NAMES:
        assert "docker login registry.example.com -u admin" in notes(example)
        assert "Nothing ends TLS" not in notes(example)
    assert "Nothing ends TLS" in notes("small", "--set", "ingress.enabled=false")
