"""What `up` sees to while it runs: large logs, and certificates that were renewed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from authsvc.core import certificates
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.stack import tls, upkeep
from authsvc.stack.upkeep import Upkeep, rotate


@pytest.fixture
def reloads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The signals that were sent."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    monkeypatch.setattr(upkeep, "_PAUSE", 0.0)
    return sent


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set our clock to so many days from now."""

    def put(days: int) -> None:
        for module in (certificates, tls):
            monkeypatch.setattr(module, "utcnow", lambda: datetime.now(UTC) + timedelta(days=days))

    return put


@pytest.fixture
def layout(settings: Settings) -> Layout:
    made = Layout(settings)
    for directory in (made.logs, made.tls, made.root / "run"):
        directory.mkdir(parents=True, exist_ok=True)
    (made.root / "run" / "nginx.pid").write_text("4711\n")
    return made


def test_a_large_log_is_moved_away_and_few_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_LARGE", 4)
    file = tmp_path / "access.log"
    assert not rotate(file)
    for text in ("1111", "22", "2222", "3333", "4444", "5555"):
        file.write_text(text)
        assert rotate(file) == (len(text) == 4)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "access.log.1": "5555",
        "access.log.2": "4444",
        "access.log.3": "3333",
    }


def test_nginx_is_told_of_what_changed_and_of_nothing_else(
    settings: Settings, layout: Layout, reloads: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_LARGE", 4)
    kept = Upkeep(settings)
    kept.look()
    assert reloads == []
    (layout.logs / "access.log").write_text("1234")
    kept.look()
    assert reloads == [(4711, signal.SIGHUP)]
    layout.server_certificate.unlink()  # or it is about to expire
    kept.look()
    kept.look()
    assert len(reloads) == 2


def test_a_certificate_of_the_operator_counts_when_its_key_has_come_too(
    make_settings: Callable[..., Settings], tmp_path: Path, reloads: list[tuple[int, int]]
) -> None:
    authority = certificates.authority("a company", 1)
    old, new = (certificates.leaf("registry", authority, 90, ["registry.test"]) for _ in range(2))
    certificate, key = tmp_path / "fullchain.pem", tmp_path / "key.pem"

    def write(path: Path, content: bytes) -> None:
        path.with_suffix(".new").write_bytes(content)
        path.with_suffix(".new").replace(path)

    write(certificate, old.certificate_pem)
    write(key, old.key_pem)
    settings = make_settings(external_url="https://registry.test", tls_certificate=certificate, tls_key=key)
    (settings.state_dir / "run").mkdir(parents=True)
    (settings.state_dir / "run" / "nginx.pid").write_text("4711\n")
    kept = Upkeep(settings)
    write(certificate, new.certificate_pem)
    kept.look()
    assert reloads == [], "the key is still the old one"
    write(key, new.key_pem)
    kept.look()
    kept.look()
    assert reloads == [(4711, signal.SIGHUP)]


def test_our_own_certificate_of_the_future_is_made_anew(settings: Settings, layout: Layout, ahead: Callable[[int], None]) -> None:
    ahead(3)
    tls.prepare(settings)
    before = layout.server_certificate.read_bytes()
    ahead(0)
    tls.prepare(settings)
    assert layout.server_certificate.read_bytes() != before
    now = layout.server_certificate.read_bytes()
    tls.prepare(settings)
    assert layout.server_certificate.read_bytes() == now
