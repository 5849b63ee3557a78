"""Envelopes of registry 2.8 and 3.x, and what is neither."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.rounds import rounds
from tests.webhook.events import envelope, event
from webhook.envelope import MAX_EVENTS, EnvelopeInvalid, parse, split

DIGEST = "sha256:" + "a" * 64


def test_an_event_of_2_8() -> None:
    parsed = parse(json.dumps(event("push", "web/app", DIGEST, "v1")))
    assert (parsed.action, parsed.repository, parsed.digest, parsed.tag) == ("push", "web/app", DIGEST, "v1")
    assert (parsed.actor, parsed.address, parsed.user_agent, parsed.request_id) == ("alice", "10.1.2.3", "docker/28", "r1")
    assert parsed.at.isoformat() == "2026-11-24T02:47:00.123456+00:00"


def test_3_x_sends_empty_fields_where_2_8_sends_none() -> None:
    old = event("delete", "web/app", tag="v1")
    new = old | {
        "target": {"mediaType": "", "size": 0, "digest": "", "length": 0, "repository": "web/app", "tag": "v1"},
        "actor": {},
    }
    assert parse(json.dumps(new)).tag == parse(json.dumps(old)).tag == "v1"
    assert parse(json.dumps(new)).actor == ""


@pytest.mark.parametrize(
    ("agent", "shown", "request_id"),
    [
        ("docker/28 tidegate-request/a:1", "docker/28", "a:1"),
        (" tidegate-request/a1", "", "a1"),
        ("tidegate-request/a1", "", "a1"),
        ("x" * 9000 + " tidegate-request/a1", "x" * 1024, "a1"),
        ("tidegate-request/forged docker/28 tidegate-request/a1", "tidegate-request/forged docker/28", "a1"),
        ("docker/28", "docker/28", "r1"),
        ("docker/28 tidegate-request/" + "x" * 65, "docker/28 tidegate-request/" + "x" * 65, "r1"),
    ],
)
def test_our_own_id_of_a_request_comes_back(agent: str, shown: str, request_id: str) -> None:
    parsed = parse(json.dumps(event("pull", "web/app", DIGEST, request={"id": "r1", "useragent": agent})))
    assert (parsed.user_agent, parsed.request_id) == (shown, request_id)


@pytest.mark.parametrize(
    ("addr", "address"), [("[::1]:5000", "::1"), ("10.0.0.1:1", "10.0.0.1"), ("10.0.0.1", "10.0.0.1"), ("", "")]
)
def test_addresses(addr: str, address: str) -> None:
    assert parse(json.dumps(event("pull", "web/app", DIGEST, request={"addr": addr}))).address == address


@pytest.mark.parametrize(
    "bad",
    [
        7, None, [], "x", {}, event("explode", "web/app", DIGEST), event("push", "Web/App", DIGEST), event("push", "web", DIGEST),
        event("push", "web/app"), event("push", "web/app", "sha256:zz"), event("push", "web/app", DIGEST, "-bad-"),
        event("push", "web/app", DIGEST, timestamp="yesterday"), event("push", "web/app", DIGEST, actor=[]),
        event("push", "web/app", DIGEST, request={"addr": 7}), event("push", "web/app", DIGEST, target="x"),
        event("push", "web/app", DIGEST, actor={"name": "a\0b"}), event("push", "web/app", DIGEST, actor={"name": "\ud800"}),
    ],
)  # fmt: skip
def test_what_is_no_event(bad: Any) -> None:
    with pytest.raises(EnvelopeInvalid):
        parse(json.dumps(bad))


@pytest.mark.parametrize("bad", [b"", b"{", b"[]", b"{}", b'{"events":{}}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_envelope(bad: bytes) -> None:
    with pytest.raises(EnvelopeInvalid):
        list(split(bad))


def test_batches_are_bounded() -> None:
    with pytest.raises(EnvelopeInvalid):
        list(split(envelope(*[event("pull", "web/app", DIGEST)] * (MAX_EVENTS + 1))))


def test_an_event_without_a_usable_id_gets_one_of_its_content() -> None:
    without = event("pull", "web/app", DIGEST) | {"id": ""}
    first, second, third = split(envelope(without, without, without | {"id": "x" * 500}))
    assert first.event_id == second.event_id != third.event_id


values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20), lambda inner: (
    st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "digest", "tag", "repository", "addr", "x"]), inner, max_size=4)
), max_leaves=8)  # fmt: skip


@settings(max_examples=rounds(300, 10_000), suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(["id", "timestamp", "action", "target", "request", "actor", "source"]), values))
def test_whatever_comes_is_understood_or_refused(changes: dict[str, Any]) -> None:
    mutated = event("push", "web/app", DIGEST, "v1") | changes
    for raw in split(envelope(mutated)):
        try:
            parse(raw.body)
        except EnvelopeInvalid as error:
            assert str(error)
