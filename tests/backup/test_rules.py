"""Which backups are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.backup.rules import kept
from authsvc.core.errors import BadRequest

START = datetime(2026, 1, 1, 3, tzinfo=UTC)  # a Thursday
DAILY = [START + timedelta(days=day) for day in range(400)]


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        (["3d"], DAILY[-3:]),
        (["2w"], [DAILY[-1], datetime(2027, 1, 31, 3, tzinfo=UTC)]),
        (["3m"], [DAILY[-1], datetime(2027, 1, 31, 3, tzinfo=UTC), datetime(2026, 12, 31, 3, tzinfo=UTC)]),
        (["2y"], [DAILY[-1], datetime(2026, 12, 31, 3, tzinfo=UTC)]),
        ([], DAILY[-1:]),
    ],
)
def test_the_newest_of_each_period(rule: list[str], left: list[datetime]) -> None:
    assert kept(DAILY, rule) == set(left)


def test_several_on_a_day_and_days_without() -> None:
    moments = [START, START + timedelta(hours=1), START + timedelta(days=30), START + timedelta(days=90)]
    assert kept(moments, ["3d"]) == set(moments[1:])


def test_parts_add_up() -> None:
    assert kept(DAILY, ["7d", "4w", "6m"]) == kept(DAILY, ["7d"]) | kept(DAILY, ["4w"]) | kept(DAILY, ["6m"])


@given(st.sets(st.datetimes(timezones=st.just(UTC))), st.integers(1, 9), st.sampled_from("dwmy"))
def test_the_newest_stays_and_never_too_many(moments: set[datetime], count: int, period: str) -> None:
    left = kept(moments, [f"{count}{period}"])
    assert left <= moments
    assert len(left) <= count
    assert not moments or max(moments) in left


@pytest.mark.parametrize("wrong", ["", "7", "d", "0d", "7h", "-1d", "7d 4w"])
def test_what_is_no_rule(wrong: str) -> None:
    with pytest.raises(BadRequest):
        kept(DAILY, [wrong])
