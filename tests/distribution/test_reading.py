"""Reading blobs from a registry that is not quite as it should be."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from authsvc.core.errors import NotFound, Unavailable
from authsvc.distribution.client import RegistryClient
from authsvc.distribution.reading import TRIES, Reading
from authsvc.distribution.transport import Unreadable
from tests.support.between import Between, between
from tests.support.registry import LAYER_TYPE, PlainRegistry, digest_of

pytestmark = pytest.mark.once
DATA = bytes(range(256)) * 4096


@pytest.fixture
def proxy(registry: PlainRegistry) -> Iterator[Between]:
    registry.blob("web/reading", DATA, LAYER_TYPE)
    with between(registry) as made:
        yield made


def reading(proxy: Between, digest: str = "", piece: int = 1000) -> Reading:
    client = RegistryClient(proxy.url, lambda scope: "", name="the other")
    return Reading(client, "web/reading", digest or digest_of(DATA), piece=piece, pause=0)


def test_it_is_read_as_a_whole_and_in_parts(proxy: Between) -> None:
    size, pieces = reading(proxy).whole()
    assert (size, b"".join(pieces)) == (len(DATA), DATA)
    assert b"".join(reading(proxy).between(1_001, 2_003)) == DATA[1_001:2_003]


def test_one_that_knows_no_ranges_is_read_from_its_beginning(proxy: Between) -> None:
    proxy.body = lambda path: DATA
    assert b"".join(reading(proxy).between(1_001, 2_003)) == DATA[1_001:2_003]


def test_what_breaks_off_is_read_on_from_there(proxy: Between) -> None:
    cuts = [100_000, 300_000]
    proxy.rule = lambda *_: cuts.pop(0) if cuts else None
    assert b"".join(reading(proxy).whole()[1]) == DATA
    begun = [int(ranged.removeprefix("bytes=").partition("-")[0]) for _, _, ranged in proxy.asked if ranged]
    assert len(begun) == 2
    assert 0 < begun[0] < begun[1] <= 400_000, "what was there is not read again"


def test_one_that_never_gets_to_its_end_is_given_up(proxy: Between) -> None:
    proxy.rule = lambda *_: 10
    with pytest.raises(Unavailable, match="broke off"):
        list(reading(proxy).whole()[1])
    assert len(proxy.asked) == TRIES


def test_something_else_never_comes_to_its_end(proxy: Between) -> None:
    proxy.body = lambda path: DATA[::-1]
    read: list[bytes] = []
    with pytest.raises(Unreadable, match="something else"):
        read.extend(reading(proxy).whole()[1])
    assert sum(map(len, read)) < len(DATA), "the last piece is kept back"


def test_what_is_empty_and_what_is_not_there(proxy: Between) -> None:
    proxy.body = lambda path: b""
    assert list(reading(proxy, digest_of(b"")).whole()[1]) == []
    proxy.body = lambda path: None
    with pytest.raises(NotFound):
        reading(proxy, digest_of(b"nothing")).whole()
