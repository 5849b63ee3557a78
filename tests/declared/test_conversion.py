"""What Harbor's installers are told, as our own settings and values."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from dotenv import dotenv_values

from authsvc.cli import cli
from authsvc.core.errors import BadRequest
from authsvc.core.settings import Settings
from authsvc.declared import conversion
from authsvc.declared.given import ENVIRONMENT, STORAGE, VALUES, Converted
from authsvc.distribution import driver
from tests.support.chart import CHART, helm

pytestmark = pytest.mark.once

INSTALLER = """
hostname: registry.example.com
http: {port: 80}
https: {port: 443, certificate: /data/cert/server.crt, private_key: /data/cert/server.key}
harbor_admin_password: Harbor12345
database: {password: root123, max_idle_conns: 100}
data_volume: /data
storage_service:
  s3: {accesskey: canary, secretkey: canary, region: eu-central-1, bucket: images}
  redirect: {disable: true}
trivy: {ignore_unfixed: false, timeout: 5m0s}
jobservice: {max_job_workers: 7, job_loggers: [STD_OUTPUT]}
notification: {webhook_job_max_retry: 3}
log: {level: warning, local: {rotate_count: 50}}
_version: 2.15.0
external_database:
  harbor: {host: db.example.com, port: 5433, db_name: registry, username: har bor, password: canary, ssl_mode: require}
external_redis: {host: "redis:6379"}
proxy: {http_proxy: "", components: [core]}
metric: {enabled: true, port: 9090}
upload_purging: {enabled: true}
cache: {enabled: false}
"""

CHART_VALUES = """
expose:
  type: ingress
  tls: {enabled: true, certSource: secret, secret: {secretName: registry-tls}}
  ingress:
    hosts: {core: registry.example.com}
    className: nginx
    annotations: {ingress.kubernetes.io/proxy-body-size: "0"}
externalURL: https://registry.example.com
persistence:
  persistentVolumeClaim:
    registry: {storageClass: cephfs, accessMode: ReadWriteMany, size: 500Gi}
    database: {size: 5Gi}
  imageChartStorage: {disableredirect: false, type: filesystem}
harborAdminPassword: Harbor12345
logLevel: info
core: {replicas: 2, nodeSelector: {role: registry}}
registry: {replicas: 3}
jobservice: {maxJobWorkers: 10, replicas: 1}
trivy: {enabled: true}
database: {type: external, external: {host: postgresql, port: "5432", username: harbor, coreDatabase: registry, existingSecret: database}}
redis: {type: internal}
metrics: {enabled: true, serviceMonitor: {enabled: true, additionalLabels: {release: prometheus}}}
imagePullSecrets: [{name: pull}]
"""


def settings(made: Converted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """As our own parser reads them; what is about containers alone has no such setting."""
    file = tmp_path / "env"
    file.write_text(made.files[ENVIRONMENT])
    for name, value in dotenv_values(file).items():
        if name not in ("TIDEGATE_LISTEN", "TIDEGATE_TLS_DIR"):
            monkeypatch.setenv(name, value or "")
    return Settings.from_env()


def test_an_installers_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = conversion.convert(INSTALLER)
    found = settings(made, tmp_path, monkeypatch)
    assert (found.external_url, found.https_port, found.http_port) == ("https://registry.example.com", 443, 80)
    assert (str(found.tls_certificate), str(found.tls_key)) == ("/run/tidegate/tls/server.crt", "/run/tidegate/tls/server.key")
    assert (found.job_workers, found.log_level) == (7, "warning")
    assert found.database_url == "postgresql+psycopg://har%20bor@db.example.com:5433/tidegate?sslmode=require"
    environment = made.files[ENVIRONMENT]
    assert "TIDEGATE_TLS_DIR=/data/cert\n" in environment
    assert "# TIDEGATE_BLOBS=/data/registry\n" in environment
    assert "canary" not in environment + "".join(made.notes)
    storage = tmp_path / "storage.yml"
    storage.write_text(made.files[STORAGE])
    storage.chmod(0o600)
    bucket = driver.read(storage)
    assert (bucket.bucket, bucket.redirects, bucket.parameters["secretkey"]) == ("s3://images", False, "canary")
    left_out = [note for note in made.notes if note.startswith("left out")]
    assert [note.split()[2].rstrip(":") for note in left_out] == [
        "harbor_admin_password",
        "database",
        "trivy",
        "jobservice",
        "notification.webhook_job_max_retry",
        "log",
        "external_redis",
        "proxy.components",
        "metric",
        "upload_purging",
    ]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("hostname: a.example.com\nhttp: {port: 80}", "http://a.example.com"),
        ("hostname: a.example.com\nhttp: {port: 8080}", "http://a.example.com:8080"),
        ("hostname: a.example.com\nhttps: {port: 8443, certificate: /a/c, private_key: /b/k}", "https://a.example.com:8443"),
        ("hostname: a.example.com\nexternal_url: https://b.example.com:8433\nhttp: {port: 80}", "https://b.example.com:8433"),
        ("hostname: '2001:db8::1'\nhttp: {port: 80}\nip_family: {ipv6: {enabled: true}}", "http://[2001:db8::1]"),
    ],
)
def test_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, url: str) -> None:
    assert settings(conversion.convert(text), tmp_path, monkeypatch).external_url == url


@pytest.mark.parametrize("bucket", [False, True])
def test_values_of_a_chart(tmp_path: Path, bucket: bool) -> None:
    given = yaml.safe_load(CHART_VALUES)
    if bucket:
        section = {"bucket": "images", "region": "eu-central-1", "existingSecret": "keys"}
        given["persistence"]["imageChartStorage"] = {"type": "s3", "s3": section}
    made = conversion.convert(yaml.safe_dump(given))
    values = yaml.safe_load(made.files[VALUES])
    assert values["replicas"] == 3
    assert values["database"]["url"] == "postgresql://harbor@postgresql:5432/tidegate"
    assert values["storage"] == (
        {"bucket": {"existingSecret": "tidegate-bucket"}}
        if bucket
        else {"size": "500Gi", "storageClass": "cephfs", "accessModes": ["ReadWriteMany"]}
    )
    assert (STORAGE in made.files) == bucket
    done: subprocess.CompletedProcess[str] = helm("template", "x", str(CHART), "-f", "-", stdin=made.files[VALUES])
    assert done.returncode == 0, done.stderr
    assert "left out: trivy (register a scanner by Harbor's adapter API: docs/scanning.md)" in made.notes
    assert "left out: redis (no Redis is needed)" in made.notes


@pytest.mark.parametrize("text", ["", "- a", "a: [", "services: {}", "hostname", "a: &a [*a]"])
def test_what_is_neither_is_said(text: str) -> None:
    with pytest.raises(BadRequest, match="that is n"):
        conversion.convert(text)


def test_files_are_written_once_and_for_their_owner(tmp_path: Path) -> None:
    (tmp_path / "harbor.yml").write_text(INSTALLER)
    arguments = ["convert", str(tmp_path / "harbor.yml"), "--into", str(tmp_path / "made")]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.exception
    assert done.stdout.split() == [str(tmp_path / "made" / name) for name in (".env", "storage.yml")]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "made").iterdir()} == {0o600}
    again = CliRunner().invoke(cli, arguments)
    assert "is there already" in str(again.exception)
