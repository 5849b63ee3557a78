"""A table as a file, for a spreadsheet or a program: all rows that were asked for, in their order, up to a limit."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Response, request
from sqlalchemy import Select

from authsvc.core.clock import rfc3339
from authsvc.core.db import db
from authsvc.core.errors import BadRequest
from authsvc.core.query import Columns, ordered
from authsvc.ui.listing import Asked

FORMATS = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
MOST = 10_000  # rows
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def is_asked() -> bool:
    """Whether the URL asks for a file (`format`).

    Raises:
        BadRequest: of a kind that there is none of.
    """
    format_ = request.args.get("format", "")
    if format_ and format_ not in FORMATS:
        raise BadRequest(f"format is one of {', '.join(FORMATS)}")
    return bool(format_)


def exported(
    name: str,
    statement: Select[*tuple[Any, ...]],
    wanted: Asked,
    columns: Columns,
    default: Sequence[Any],
    row: Callable[[Any], Mapping[str, object]],
) -> Response:
    """The rows of a listing as a file of that name, each as `row` makes it of a row of the database."""
    format_ = request.args["format"]
    found = db.session.execute(ordered(statement, wanted.sort, columns, default).limit(MOST))
    rows = [{key: _plain(value) for key, value in row(one).items()} for one in found]
    response = Response(_csv(rows) if format_ == "csv" else json.dumps(rows, ensure_ascii=False), content_type=FORMATS[format_])
    response.headers["Content-Disposition"] = f'attachment; filename="{re.sub(r"[^A-Za-z0-9._-]+", "-", name)}.{format_}"'
    return response


def _plain(value: object) -> object:
    return rfc3339(value) if isinstance(value, datetime) else value


def _csv(rows: Sequence[Mapping[str, object]]) -> str:
    """With heads, and no cell that a spreadsheet would take for a formula: names are what others have given."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(rows[0] if rows else [])
    writer.writerows([_cell(value) for value in one.values()] for one in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else "" if value is None else value
