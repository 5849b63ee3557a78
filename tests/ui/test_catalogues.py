"""Every text of the pages is there in every language, with the same placeholders and the same markup."""

from __future__ import annotations

import re

import pytest

from authsvc.ui.language import size
from tests.ui.catalogues import TRANSLATED, catalogue, said, texts


@pytest.mark.parametrize("locale", TRANSLATED)
def test_nothing_is_missing_and_nothing_is_left_over(locale: str) -> None:
    known, wanted = texts(catalogue(locale)), texts(said())
    assert sorted(wanted - known) == []
    assert sorted(known - wanted) == []


@pytest.mark.parametrize("locale", TRANSLATED)
def test_translations_fit(locale: str) -> None:
    for one in catalogue(locale):
        if not one.id:
            continue
        assert one.string, one.id
        assert not one.fuzzy, one.id
        translated = "".join([one.string] if isinstance(one.string, str) else one.string)
        meant = one.id if isinstance(one.id, str) else one.id[1]
        for pattern in (r"%\(\w+\)s", r"<[^>]+>"):
            assert sorted(set(re.findall(pattern, translated))) == sorted(set(re.findall(pattern, meant))), one.id


def test_sizes() -> None:
    assert [size(value) for value in (0, 1023, 1024, 1536, 10 * 2**30, 2**60)] == [
        "0 B", "1023 B", "1.0 KiB", "1.5 KiB", "10.0 GiB", "1,024.0 PiB",
    ]  # fmt: skip
