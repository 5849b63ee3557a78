"""`authsvc doctor` on an installation that is prepared and does not run: each thing that is broken is found by its check."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text

from authsvc.artifacts.models import Damage, Intent
from authsvc.audit.models import AuditOutbox
from authsvc.authn.models import IdentitySource
from authsvc.core import schema
from authsvc.core.db import Base, db, transaction, utcnow
from authsvc.core.settings import Settings
from authsvc.doctor.bundle import redacted
from authsvc.doctor.examination import CHECKS, examine
from authsvc.doctor.findings import BAD, DOUBTFUL, GOOD, SKIPPED, Finding, Patient
from authsvc.inbox.models import QUARANTINED, InboxEvent
from authsvc.jobs.models import ERROR, Execution, PausedQueue, Schedule
from authsvc.scanners.models import Scanner
from authsvc.scanners.rules import DATABASE_TIME
from authsvc.stack.prepare import prepare
from tests.support.console import Run
from tests.support.ports import free_ports
from tests.support.scanner import METADATA
from tests.support.world import World

NAMES = [check.name for check in CHECKS]
# What cannot be otherwise where nothing runs, or of a test's own settings.
NOT_RUNNING = {name for name in NAMES if name.startswith(("parts.", "outside."))} | {
    "work.worker",
    "work.comparison",
    "settings.address",
    "files.first-password",
    "identity.first-password",
    "host.memory",
    "host.open-files",
    "host.space",
    "host.inodes",
    "database.speed",
    "database.connections",
}


@dataclass(frozen=True)
class Ward:
    """An installation, and ways to break it."""

    world: World
    settings: Settings

    def find(self, name: str, **changes: Any) -> Finding:
        settings = replace(self.settings, **changes)
        (look,) = examine(Patient(self.world.front.flask, settings), lambda check: check.name == name)
        return look.finding

    def keep(self, *rows: Base) -> None:
        with self.world.front.flask.app_context(), transaction():
            db.session.add_all(rows)

    def execute(self, statement: str) -> None:
        with self.world.front.flask.app_context(), transaction():
            db.session.execute(text(statement))

    @property
    def state(self) -> Path:
        return self.settings.state_dir


def scanner(health: str = "healthy", properties: Any = None) -> Scanner:
    said = METADATA | {"properties": properties or {}}
    return Scanner(uuid="0", name="probe", url="http://scanner.example.com", health=health, said=said)


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    """With an nginx where nobody listens, either."""
    https, http = free_ports(2)
    return make_settings(external_url=f"https://localhost:{https}", http_port=http)


@pytest.fixture
def ward(world: World, settings: Settings) -> Ward:
    prepare(world.front.flask, settings)
    return Ward(world, settings)


def event(**values: Any) -> InboxEvent:
    return InboxEvent(event_id="e", body="{}", **values)


def execution(**values: Any) -> Execution:
    return Execution(vendor_type="RECONCILE", vendor_id=-1, trigger="MANUAL", **values)


def hours(number: float) -> Any:
    return utcnow() - timedelta(hours=number)


def intent() -> Intent:
    return Intent(repository="a/b", project_id=1, method="PUT", reference="v1", username="x", owner="x", until=hours(1))


def chmod(name: str, mode: int) -> Callable[[Ward], None]:
    return lambda ward: next(ward.state.glob(name)).chmod(mode)


def moved_away(ward: Ward) -> None:
    ward.state.rename(ward.state.with_name("elsewhere"))


def kept(*make: Callable[[], Base]) -> Callable[[Ward], None]:
    return lambda ward: ward.keep(*(one() for one in make))


BREAKS: list[tuple[str, str, Callable[[Ward], None], str]] = [
    ("files.modes", BAD, chmod("keys/leaf.pem", 0o644), "others may read leaf.pem"),
    ("files.modes", BAD, chmod("secrets/webhook*", 0o640), "others may read"),
    ("files.writable", BAD, chmod("secrets", 0o770), "others may write to secrets"),
    ("files.owner", BAD, moved_away, "there is no"),
    ("files.sealing-key", BAD, lambda ward: (ward.state / "secrets" / "sealing-key").unlink(), "it cannot be used"),
    ("settings.master-key", BAD, lambda ward: (ward.state / "secrets" / "master-key").unlink(), "there is no"),
    ("keys.known", BAD, lambda ward: ward.execute("DELETE FROM signing_leaves"), "other nodes do not know the key"),
    ("database.schema", BAD, lambda ward: ward.execute("UPDATE alembic_version SET version_num = '0001'"), "its schema is 0001"),
    ("database.schema", BAD, lambda ward: ward.execute("UPDATE alembic_version SET version_num = '9999'"), "the newer release"),
    ("work.inbox", BAD, kept(lambda: event(received_at=hours(1))), "1 events wait, the oldest since"),
    ("work.aside", DOUBTFUL, kept(lambda: event(status=QUARANTINED)), "1 events were set aside"),
    (
        "work.damages",
        BAD,
        kept(lambda: Damage(repository="a/b", reference="v1", reason="cut off", found_at=utcnow(), seen_at=utcnow())),
        "1 tags or digests cannot be read",
    ),
    (
        "work.comparison",
        BAD,
        kept(lambda: execution(status=ERROR, status_message="no registry", end_time=utcnow())),
        "failed: no registry",
    ),
    ("work.comparison", DOUBTFUL, kept(lambda: execution(status="Success", end_time=hours(9))), "were compared at"),
    ("work.failed", DOUBTFUL, kept(lambda: execution(status=ERROR, start_time=utcnow())), "1 of RECONCILE"),
    ("work.journal", DOUBTFUL, kept(intent), "1 writes of manifests"),
    ("work.schedules", DOUBTFUL, kept(lambda: PausedQueue(kind="RETENTION")), "paused: RETENTION"),
    (
        "work.schedules",
        BAD,
        kept(lambda: Schedule(vendor_type="RETENTION", vendor_id=1, cron_type="Daily", cron="0 0 0 * * *", next_time=hours(3))),
        "overdue: RETENTION",
    ),
    ("work.scanners", BAD, kept(lambda: scanner(health="unhealthy")), "do not answer: probe"),
    ("work.scanners", DOUBTFUL, kept(lambda: scanner(properties={DATABASE_TIME: "2020-01-01T00:00:00Z"})), "old at: probe"),
    ("work.forwarded", DOUBTFUL, kept(*[lambda: AuditOutbox(entry={})] * 1001), "1001 audit entries"),
    ("identity.administrators", BAD, lambda ward: ward.execute("UPDATE users SET sysadmin = '0'"), "nobody is a system"),
    (
        "identity.secrets",
        BAD,
        kept(lambda: IdentitySource(kind="ldap", name="corp", settings={}, sealed="sealed elsewhere")),
        "cannot be read",
    ),
]


@pytest.mark.parametrize(("name", "status", "damage", "said"), BREAKS, ids=[f"{one[0]}-{one[3][:12]}" for one in BREAKS])
def test_what_is_broken_is_found(ward: Ward, name: str, status: str, damage: Callable[[Ward], None], said: str) -> None:
    damage(ward)
    found = ward.find(name)
    assert (found.status, said in found.said or said in found.advice) == (status, True), found
    assert found.advice


@pytest.mark.parametrize(
    ("name", "status", "changes"),
    [
        ("settings.encryption", BAD, {"external_url": "http://registry.example.com", "tls": False}),
        ("settings.encryption", GOOD, {"external_url": "http://localhost:8080", "tls": False}),
        ("settings.trusted-proxies", BAD, {"trusted_proxies": ("0.0.0.0/0",)}),
        ("settings.outgoing", BAD, {"outgoing_allow": ("10.0.0.0/8", "::/0")}),
        ("settings.outgoing", GOOD, {"outgoing_allow": ("10.0.0.0/8",)}),
        ("settings.database-password", DOUBTFUL, {"database_url": "postgresql://tidegate:secret@db/x"}),
        ("settings.address", DOUBTFUL, {"listen_address": "0.0.0.0"}),
        ("settings.address", DOUBTFUL, {"external_url": "https://registry.example.com"}),
        ("settings.address", GOOD, {"external_url": "https://registry.example.com", "listen_address": "0.0.0.0"}),
        ("settings.places", BAD, {"registry_address": "0.0.0.0:5000"}),
        ("settings.mirrors", BAD, {"mirror_hosts": ("hub.example.com=nowhere",)}),
        ("host.name", BAD, {"external_url": "https://nobody.invalid"}),
        ("host.cores", DOUBTFUL, {"token_workers": 10_000}),
        ("files.registry", BAD, {"registry_program": "no-such-program"}),
        ("tls.certificate", BAD, {"external_url": "https://another.example.com"}),
    ],
)
def test_what_was_not_meant_is_found(ward: Ward, name: str, status: str, changes: dict[str, Any]) -> None:
    assert ward.find(name, **changes).status == status


def test_all_is_well_but_what_does_not_run(ward: Ward) -> None:
    """Each check says so itself, in one line, and what to do next; nothing that is looked at changes."""
    before = _files(ward.state), _rows(ward)
    found = {look.check.name: look.finding for look in examine(Patient(ward.world.front.flask, ward.settings))}
    assert (_files(ward.state), _rows(ward)) == before
    assert list(found) == NAMES
    assert len(NAMES) == len(set(NAMES)) >= 40
    for name, finding in found.items():
        assert "could not be looked at" not in finding.said, (name, finding)
        assert "\n" not in finding.said, name
        assert bool(finding.advice) == (finding.status in (BAD, DOUBTFUL)), name
        assert name in NOT_RUNNING or finding.status in (GOOD, SKIPPED), (name, finding)
    for name in ("parts.up", "parts.token", "parts.api", "parts.webhook", "parts.registry", "parts.trust", "outside.reached"):
        assert found[name].status == BAD, name
    assert found["outside.realm"].status == SKIPPED, "one thing is wrong, and said once"


def _files(directory: Path) -> dict[str, tuple[int, int]]:
    files = [path for path in directory.rglob("*") if path.is_file() and "tidegate.db" not in path.name]
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_mode) for path in files}


def _rows(ward: Ward) -> dict[str, int]:
    with ward.world.front.flask.app_context():
        names = inspect(db.engine).get_table_names()
        found = {name: int(db.session.scalar(text(f"SELECT count(*) FROM {name}"))) for name in names}
        db.session.rollback()
    return found


def test_one_whose_database_is_gone_says_it_once(ward: Ward) -> None:
    ward.execute("UPDATE alembic_version SET version_num = '0001'")
    groups = ("database", "work", "identity")
    found = {
        look.check.name: look.finding.status
        for look in examine(Patient(ward.world.front.flask, ward.settings), lambda check: check.group in groups)
    }
    assert found["database.schema"] == BAD
    assert {found[name] for name in NAMES if name.startswith(("work.", "identity."))} == {SKIPPED}
    assert schema.newest() != "0001"


def test_the_command(ward: Ward, run: Run) -> None:
    done = run("doctor", "files", "database.schema")
    assert done.exit_code == 0, done.output
    assert " ok  files.modes " in done.output
    assert "database.clock" not in done.output
    chmod("keys/leaf.pem", 0o644)(ward)
    done = run("doctor", "files", "--quiet")
    assert done.exit_code == 1
    assert "BAD  files.modes " in done.output
    assert "-> chmod 600" in done.output
    assert "files.python" not in done.output
    (found,) = [one for one in json.loads(run("doctor", "files", "-o", "json").stdout) if one["name"] == "files.modes"]
    assert (found["status"], found["said"], found["advice"][:9]) == ("error", "others may read leaf.pem", "chmod 600")
    done = run("doctor", "filse")
    assert done.exit_code == 2
    assert "no such check: filse; groups are host, settings, files" in done.output


def test_the_bundle_holds_no_secret(ward: Ward, run: Run, tmp_path: Path) -> None:
    secrets = [path.read_text() for place in ("secrets", "keys") for path in (ward.state / place).iterdir() if path.is_file()]
    secrets = [text.strip() for text in secrets if len(text.split()) == 1]
    assert len(secrets) >= 4
    (ward.state / "config" / "registry.yml").write_text(
        f'http:\n  secret: "{secrets[0]}"\nAuthorization: [Bearer {secrets[1]}]\n'
    )
    (ward.state / "log" / "api.log").write_text(f"what was said\npassword={secrets[2]} X-Secret: {secrets[3]}\n")
    archive = tmp_path / "bundle.tar.gz"
    run("doctor", "files", "--bundle", str(archive))
    assert archive.stat().st_mode & 0o077 == 0
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path)
    held = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.glob("tidegate/**/*") if path.is_file()}
    assert {"tidegate/about.json", "tidegate/checks.json", "tidegate/settings.json", "tidegate/log/api.log"} <= set(held)
    assert "what was said" in held["tidegate/log/api.log"]
    for name, content in held.items():
        assert not [secret for secret in secrets if secret in content], name


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://tidegate:{}@db/tidegate",
        "Authorization: Basic {}",
        '"authorization": "Bearer {}"',
        "password = {}",
        '{{"secret":"{}"}}',
        "proxy_set_header X-Tidegate-Proxy-Secret {};",
        "client_secret={}&x=y",
        "?token={}",
    ],
)
def test_what_would_let_somebody_in_is_hidden(text: str) -> None:
    assert "Sup3rS3cretValue" not in redacted(text.format("Sup3rS3cretValue"))
    assert redacted("GET /service/token?scope=repository:a/b:pull") == "GET /service/token?scope=repository:a/b:pull"
