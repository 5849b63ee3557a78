"""What people write into settings, and what must come of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from authsvc.core.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("TIDEGATE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    found = tmp_path / "tidegate.env"
    monkeypatch.setenv("TIDEGATE_ENV_FILE", str(found))
    return found


def test_the_file_of_settings_alone_is_heard(file: Path) -> None:
    file.write_text("# ports\nTIDEGATE_HTTP_PORT=9999\nexport TIDEGATE_TLS='false'\nPGPASSFILE=/x\n")
    settings = Settings.from_env()
    assert (settings.http_port, settings.tls) == (9999, False)
    assert "TIDEGATE_HTTP_PORT" not in os.environ


def test_a_typo_in_the_file_is_named(file: Path) -> None:
    file.write_text("TIDEGATE_HTTP_PORT=9999\nTIDEGATE_TYPO=1\n")
    with pytest.raises(SettingsError, match="TIDEGATE_TYPO"):
        Settings.from_env()


def test_a_bad_value_in_the_file_is_named(file: Path) -> None:
    file.write_text("TIDEGATE_HTTP_PORT=many\n")
    with pytest.raises(SettingsError, match="HTTP_PORT"):
        Settings.from_env()


@pytest.mark.parametrize(
    ("given", "url", "host"),
    [
        ("https://registry.example.com:443", "https://registry.example.com", "registry.example.com"),
        ("http://registry.lan:80/", "http://registry.lan", "registry.lan"),
        ("https://Registry.Example.com:8443", "https://registry.example.com:8443", "registry.example.com:8443"),
        ("https://bücher.example", "https://xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("https://[2001:DB8:0::7]:443", "https://[2001:db8::7]", "[2001:db8::7]"),
        ("https://10.0.0.1:5000", "https://10.0.0.1:5000", "10.0.0.1:5000"),
    ],
)
def test_urls_that_differ_by_what_does_not_matter_are_one(given: str, url: str, host: str) -> None:
    settings = Settings(external_url=given)
    assert (settings.external_url, settings.registry_host) == (url, host)


@pytest.mark.parametrize(
    "url",
    [
        "https://reg:99999", "https://reg istry", "https://a.b:", "https://", "registry.example.com", "https://a/b", "https://a?b", "https://a#b",
        "https://u:p@a", "https://-a.example", "https://a..b", "https://[::1", "https://" + "a" * 64, "ftp://a", "https://a\n.b", "https://[x::1]",
    ],
)  # fmt: skip
def test_a_url_that_is_none_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(SettingsError, match="external_url must look like") as caught:
        Settings(external_url=url)
    assert "\n" not in str(caught.value)


def test_a_url_without_tls_ends_in_no_redirect() -> None:
    """nginx would send everybody who comes by http to the very same address."""
    assert Settings(external_url="http://registry.lan:8080").tls is False
    assert Settings(external_url="https://registry.lan:8080").tls is True


@pytest.mark.parametrize(
    ("given", "hosts"),
    [("::1", ("::1",)), ("[::1]", ("::1",)), ("::", ("::",)), ("127.0.0.1, [::1]", ("127.0.0.1", "::1"))],
)
def test_addresses_of_both_families_are_listened_on(given: str, hosts: tuple[str, ...]) -> None:
    assert Settings(listen_address=given).listen_hosts == hosts


@pytest.mark.parametrize("address", ["::1:5000", "[::1]", "localhost", ":5000", "a:b", "a:99999", "a:-1", "a:٣"])
def test_an_address_without_a_port_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="registry_address must be host:port"):
        Settings(registry_address=address)


@pytest.mark.parametrize("address", ["registry.lan", "1.2.3", "::x", "127.0.0.1:80"])
def test_what_cannot_be_listened_on_is_named(address: str) -> None:
    with pytest.raises(SettingsError, match="is no IP address"):
        Settings(listen_address=address)
