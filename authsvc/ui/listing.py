"""Tables of which a page shows a part: searched, sorted and paged by the server over everything, with the state in the URL, so
that what somebody sees can be sent to somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import request
from sqlalchemy import Select

from authsvc.core.errors import BadRequest
from authsvc.core.paging import fetch
from authsvc.core.query import Columns, ordered
from authsvc.core.text import is_storable

SIZE = 50
_LAST = 10_000_000  # no page has a larger number
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class Asked:
    """What the URL says: words to search for, a column to sort by (behind "-": the largest first), and a page, from 1."""

    search: str
    sort: str
    page: int

    def url(self, **changes: Any) -> str:
        """The same with changes; what is empty is left out."""
        said = {"search": self.search, "sort": self.sort, "page": self.page} | changes
        shown = {name: value for name, value in said.items() if value and (name, value) != ("page", 1)}
        others = {name: value for name, value in request.args.items() if name not in said}
        query = urlencode(others | shown)
        return f"{request.path}?{query}" if query else request.path


@dataclass(frozen=True, slots=True)
class Listing:
    """A part of a table."""

    rows: Sequence[Any]
    total: int
    asked: Asked

    @property
    def first(self) -> int:
        """The number of the first row that is shown."""
        return (self.asked.page - 1) * SIZE + 1

    @property
    def last(self) -> int:
        """The number of the last row that is shown."""
        return self.first + len(self.rows) - 1

    @property
    def before(self) -> str:
        """The page before this one, "" if there is none."""
        return self.asked.url(page=self.asked.page - 1) if self.asked.page > 1 else ""

    @property
    def behind(self) -> str:
        """The page behind this one, "" if there is none."""
        return self.asked.url(page=self.asked.page + 1) if self.last < self.total else ""

    def sorted_by(self, column: str) -> str:
        """How a column's head says that the table is sorted by it (ARIA), "" if it is not."""
        return {column: "ascending", f"-{column}": "descending"}.get(self.asked.sort, "")

    def to_sort_by(self, column: str) -> str:
        """Sorted by a column, the other way if it is already."""
        return self.asked.url(sort=f"-{column}" if self.asked.sort == column else column, page=1)


def asked(columns: Columns) -> Asked:
    """What the URL says.

    Raises:
        BadRequest: there is no such column.
    """
    search, sort = request.args.get("search", "").strip(), request.args.get("sort", "")
    if len(search) > _LONGEST or not is_storable(search):
        raise BadRequest("what is searched for has at most 255 characters")
    if sort and sort.removeprefix("-") not in columns:
        raise BadRequest(f"sort is one of {', '.join(columns)}")
    number = request.args.get("page", "1")
    return Asked(search, sort, min(int(number), _LAST) if number.isascii() and number.isdigit() and int(number[:9]) else 1)


def part(
    statement: Select[*tuple[Any, ...]], wanted: Asked, columns: Columns, default: Sequence[Any], *, scalars: bool = True
) -> Listing:
    """The rows that are wanted, of one entity, or tuples unless `scalars`; `default`: their order, if no column is named."""
    narrowed = ordered(statement, wanted.sort, columns, default)
    rows, total = fetch(narrowed, SIZE, (wanted.page - 1) * SIZE, scalars=scalars, counted=None)
    return Listing(rows, total, wanted)
