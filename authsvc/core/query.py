"""Harbor's list queries: `q=` and `sort=`, parsed into plain data, applied to an allow-list of columns.

Grammar (Harbor API v2.0): `q=k1=v1,k2=~v2,k3=[min~max],k4={a b c},k5=(a b c)`: exact, contains (case-insensitive),
inclusive range with either side open, any of, all of. Keys are snake_case or Go style (`ProjectID`). A key that is no column of
the allow-list can never be asked about: it is refused. Harbor passes over it and answers with everything, which whoever mistyped
a key takes for what he asked for, and perhaps deletes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from sqlalchemy import ColumnElement, Select, String, false, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement, UnaryExpression
from sqlalchemy.types import Boolean, DateTime, Integer, TypeDecorator

from authsvc.core.errors import BadRequest

# Column attributes of models by their names on the wire.
Columns = Mapping[str, Any]
FEW: dict[Any, Any] = {"few": True}  # a column's `info`: it has an index and few different values, whatever the number of rows
_MAX_TERMS = 20


@dataclass(frozen=True, slots=True)
class Exact:
    value: str


@dataclass(frozen=True, slots=True)
class Contains:
    value: str


@dataclass(frozen=True, slots=True)
class Range:
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    values: tuple[str, ...]


Match = Exact | Contains | Range | AnyOf | AllOf


def parse_q(text: str) -> dict[str, Match]:
    """Parse `q` into key -> match; keys come back normalised (`ProjectID` and `project_id` are `projectid`).

    Raises:
        BadRequest: Harbor's messages for a part without "=", or an open bracket.
    """
    matches: dict[str, Match] = {}
    parts = unquote_plus(text).split(",") if text else []
    if "\0" in "".join(parts):
        raise BadRequest("invalid query string value: there is a NUL character in it")
    if len(parts) > _MAX_TERMS:
        raise BadRequest(f"the query string has more than {_MAX_TERMS} parts")
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise BadRequest('the query string must contain "=" and the key/value cannot be empty')
        matches[_normal(key)] = _parse_value(value.strip())
    return matches


def _normal(key: str) -> str:
    return key.strip().replace("_", "").lower()


def _parse_value(text: str) -> Match:
    if text.startswith("~"):
        return Contains(_unescape(text[1:]))
    for opening, closing in ("[]", "{}", "()"):
        if not text.startswith(opening):
            continue
        if not text.endswith(closing) or len(text) < 2:
            raise BadRequest(f"invalid query string value: {text}")
        inner = text[1:-1].strip()
        if opening == "[":
            low, tilde, high = inner.partition("~")
            if not tilde:
                raise BadRequest(f"invalid query string value: {text}")
            return Range(_unquoted(low), _unquoted(high))
        values = tuple(_unquoted(value) for value in inner.split())
        return AnyOf(values) if opening == "{" else AllOf(values)
    return Exact(_unescape(text))


def _unescape(text: str) -> str:
    return text.removeprefix("\\")


def _unquoted(text: str) -> str:
    return text.strip().strip("\"'")


def parse_sort(text: str) -> list[tuple[str, bool]]:
    """Parse `sort` into (normalised key, descending) pairs."""
    keys = [key.strip() for key in text.split(",") if key.strip("- ")]
    return [(_normal(key.removeprefix("-")), key.startswith("-")) for key in keys]


def filtered(
    statement: Select[*tuple[Any, ...]], q: str | None, columns: Columns, besides: Collection[str] = ()
) -> Select[*tuple[Any, ...]]:
    """Narrow a select by `q`, on the columns of the allow-list only. `besides`: names that the caller sees to himself.

    Raises:
        BadRequest: a key that is none of these, or a value of another type.
    """
    by_key = {_normal(name): column for name, column in columns.items()}
    asked = parse_q(q or "")
    _must_be_known("q", asked, (*columns, *besides))
    for key, match in asked.items():
        if key in by_key:
            statement = statement.where(_condition(by_key[key], match))
    return statement


def _must_be_known(parameter: str, keys: Iterable[str], known: Iterable[str]) -> None:
    names = sorted(known)
    if unknown := sorted(set(keys) - {_normal(name) for name in names}):
        raise BadRequest(f"{parameter}: there is no key {unknown[0][:64]} to ask by; there are {', '.join(names)}")


def ordered(
    statement: Select[*tuple[Any, ...]], sort: str | None, columns: Columns, default: Sequence[Any]
) -> Select[*tuple[Any, ...]]:
    """Order a select by `sort`, or by the default if no key is named. Ties are broken by the columns of the default, all
    in the direction of the last key: so one index (key, columns of the default) gives the order, read either way.

    Raises:
        BadRequest: a key that is no column of the allow-list.
    """
    by_key = {_normal(name): column for name, column in columns.items()}
    keys = parse_sort(sort or "")
    _must_be_known("sort", [key for key, _ in keys], columns)
    wanted = [(by_key[key], descending) for key, descending in keys]
    if not wanted:
        return statement.order_by(*default)
    _, descending = wanted[-1]
    plain = [clause.element if isinstance(clause, UnaryExpression) else clause for clause in default]
    named = [column.expression for column, _ in wanted]
    rest = [(column, descending) for column in plain if not any(column.expression.compare(other) for other in named)]
    return statement.order_by(*(column.desc() if falling else column.asc() for column, falling in (*wanted, *rest)))


def _condition(column: ColumnElement[Any], match: Match) -> ColumnElement[bool]:
    match match:
        case Exact(value):
            return _equal(column, value)
        case Contains(value):
            return _contains(column, value) if _is_text(column) else _equal(column, value)
        case AnyOf(values):
            return column.in_([_typed(column, value) for value in values])
        case AllOf(values):
            return _equal(column, values[0]) if len(values) == 1 else false()
        case Range(low, high):
            condition: ColumnElement[bool] = column.is_not(None)
            if low:
                condition &= column >= _typed(column, low)
            if high:
                condition &= column <= _typed(column, high)
            return condition


def _contains(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Of a column with few different values these are found first, by jumps along its index, however many rows there are."""
    if not column.info.get("few"):
        return column.icontains(text, autoescape=True)
    held = select(func.min(column).label("value")).cte(f"{column.key}_held", recursive=True)
    following = select(func.min(column)).where(column > held.c.value).scalar_subquery()
    held = held.union_all(select(following).where(held.c.value.is_not(None)))
    return OneOf(column, select(held.c.value).where(held.c.value.icontains(text, autoescape=True)).scalar_subquery())


def _equal(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    equal: ColumnElement[bool] = column == _typed(column, text)
    return equal


def _is_text(column: ColumnElement[Any]) -> bool:
    return column.type.python_type is str


def _typed(column: ColumnElement[Any], text: str) -> Any:
    """The text as the column's type.

    Raises:
        BadRequest: it is none.
    """
    type_ = column.type.impl if isinstance(column.type, TypeDecorator) else column.type
    try:
        if isinstance(type_, Boolean):
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        if isinstance(type_, Integer):
            return _bounded(int(text))
        if isinstance(type_, DateTime):
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, KeyError, OverflowError) as error:
        raise BadRequest(f"invalid query string value: {text}") from error
    return text


def _bounded(number: int) -> int:
    if abs(number) >= 2**63:
        raise ValueError("out of range")
    return number


class OneOf(FunctionElement[bool]):
    """A column is one of what a subselect finds; on PostgreSQL in a form for which it takes an index of the column. Without a
    type: a boolean would become `... = 1` on SQLite, for which that takes none."""

    inherit_cache = True


@compiles(OneOf)
def _in(element: OneOf, compiler: SQLCompiler, **options: Any) -> str:
    column, chosen = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN {chosen}"


@compiles(OneOf, "postgresql")
def _any(element: OneOf, compiler: SQLCompiler, **options: Any) -> str:
    column, chosen = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY (ARRAY{chosen})"


class ByBytes(FunctionElement[str]):
    """A text column compared and sorted byte for byte, as registries sort; PostgreSQL would do it by its locale."""

    inherit_cache = True
    type = String()


@compiles(ByBytes)
def _as_it_is(element: ByBytes, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(ByBytes, "postgresql")
def _in_c(element: ByBytes, compiler: SQLCompiler, **options: Any) -> str:
    return f'{compiler.process(element.clauses, **options)} COLLATE "C"'
