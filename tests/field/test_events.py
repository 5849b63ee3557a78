"""What registries behind proxies, and clocks of others, put into events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.webhook.events import event
from webhook.envelope import EnvelopeInvalid, parse

DIGEST = "sha256:" + "0" * 64


def parsed(**changes: Any) -> Any:
    return parse(json.dumps(event("push", "web/app", DIGEST, "v1", **changes)))


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("192.0.2.1:4711", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("2001:db8::1234:4711", "2001:db8::1234:4711"),
        ("client.example.com:4711", "client.example.com"),
        ("", ""),
        ("@", "@"),
    ],
)
def test_whole_addresses_are_logged(said: str, address: str) -> None:
    assert parsed(request={"addr": said}).address == address


def test_an_address_of_ipv4_in_ipv6_is_whole() -> None:
    assert parsed(request={"addr": "::ffff:192.0.2.5"}).address in ("::ffff:192.0.2.5", "::ffff:c000:205")


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "2026-13-01T00:00:00Z", "now", ""])
def test_a_time_that_is_none_is_set_aside(moment: str) -> None:
    with pytest.raises(EnvelopeInvalid, match="RFC 3339"):
        parsed(timestamp=moment)
