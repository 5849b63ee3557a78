"""Settings fail loudly, hold no secrets, and are all documented."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from authsvc.core.settings import Settings, SettingsError

COMPOSE = Path(__file__).parents[2] / "compose.yaml"
DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("TIDEGATE_"):
            monkeypatch.delenv(name)


def test_every_setting_is_documented_with_its_default() -> None:
    documented = dict(re.findall(r"^\| `TIDEGATE_([A-Z_]+)` \| ([^|]*) \|", DOCS.read_text(), re.MULTILINE))
    assert set(documented) == {field.name.upper() for field in fields(Settings)}
    for field in fields(Settings):
        if isinstance(field.default, (str, int, bool)) and field.default not in ("", 0):
            assert str(field.default).lower() in documented[field.name.upper()].lower(), field.name


def test_containers_are_given_every_setting() -> None:
    """But those that are about a single host."""
    given = re.findall(r"^    TIDEGATE_(\w+):", COMPOSE.read_text(), re.MULTILINE)
    assert {field.name.upper() for field in fields(Settings)} - set(given) == {"STATE_DIR", "REGISTRY_PROGRAM"}


def test_values_are_read_and_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_EXTERNAL_URL", "https://Registry.Example.com/")
    monkeypatch.setenv("TIDEGATE_TRUSTED_PROXIES", "10.0.0.0/8, 192.168.0.0/16")
    monkeypatch.setenv("TIDEGATE_TLS", "false")
    monkeypatch.setenv("TIDEGATE_TOKEN_WORKERS", "3")
    settings = Settings.from_env()
    assert settings.external_url == "https://registry.example.com"
    assert settings.registry_host == "registry.example.com"
    assert settings.realm == "https://registry.example.com/service/token"
    assert settings.https_port == 443
    assert settings.trusted_proxies == ("10.0.0.0/8", "192.168.0.0/16")
    assert settings.tls is False
    assert settings.token_workers == 3


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("EXTERNAL_URL", "registry.example.com", "https://registry.example.com"),
        ("EXTERNAL_URL", "https://x/path", "external_url"),
        ("TOKEN_WORKERS", "many", "TOKEN_WORKERS"),
        ("TOKEN_WORKERS", "0", "token_workers"),
        ("API_ADDRESS", "nowhere", "api_address"),
        ("TLS_KEY", "/x", "go together"),
        ("TRUSTED_PROXIES", "10.0.0.0/99", "trusted_proxies"),
        ("LOG_LEVEL", "loud", "log_level"),
        ("TOKN_WORKERS", "300", "TIDEGATE_TOKN_WORKERS"),
    ],
)
def test_what_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str) -> None:
    monkeypatch.setenv(f"TIDEGATE_{name}", value)
    with pytest.raises(SettingsError, match=complaint):
        Settings.from_env()


def test_a_file_of_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "tidegate.env"
    file.write_text("TIDEGATE_TOKEN_WORKERS=4\n")
    monkeypatch.setenv("TIDEGATE_ENV_FILE", str(file))
    monkeypatch.setenv("TIDEGATE_TOKEN_WORKERS", "3")
    assert Settings.from_env().token_workers == 3, "the environment wins"
    monkeypatch.setenv("TIDEGATE_ENV_FILE", str(tmp_path / "missing"))
    with pytest.raises(SettingsError, match="missing"):
        Settings.from_env()


def test_no_setting_holds_a_secret() -> None:
    assert not [
        field.name for field in fields(Settings) if re.search("password|secret", field.name) and field.type != "Path | None"
    ]
