"""What makes tests begin quickly. Nearly each makes an application, a database and some users of its own, and what these cost was
most of the time that tests took; none of it is what they are about."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ssl import SSLContext
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from pymysql.connections import Connection
from sqlalchemy import Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule
from werkzeug.routing.rules import RulePart

from authsvc.core import db
from authsvc.users import passwords


def begin_quickly(patch: pytest.MonkeyPatch) -> None:
    """Until the patch is undone: URLs, statements and templates are compiled once in this process, not once for each application;
    passwords are hashed with parameters that nobody should use; SQLite does not wait for the disk; connections to MariaDB share the
    authorities that they could trust."""
    patch.setattr(Rule, "_compile_builder", _once(Rule._compile_builder))
    patch.setattr(Rule, "_parse_rule", _parsed_once(Rule._parse_rule))
    patch.setattr(Flask, "jinja_options", {"bytecode_cache": _Templates()})
    patch.setattr(Connection, "_create_ssl_ctx", _one_context(Connection._create_ssl_ctx))
    patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    patch.setattr(db, "SQLITE_SYNCHRONOUS", "OFF")
    patch.setattr(db, "STRICT", True)
    _share_statements(patch)


def _once(compile_builder: Callable[[Rule, bool], Any]) -> Callable[[Rule, bool], Any]:
    """What is compiled depends on what the rule says, and finds the rule itself as its first argument."""
    compiled: dict[tuple[object, ...], Any] = {}

    def builder(rule: Rule, append_unknown: bool = True) -> Any:
        key = (tuple(rule._trace), repr(rule.defaults), append_unknown)
        if key not in compiled:
            compiled[key] = compile_builder(rule, append_unknown)
        return compiled[key]

    return builder


def _parsed_once(parse: Callable[[Rule, str], Iterable[RulePart]]) -> Callable[[Rule, str], Iterable[RulePart]]:
    """It also leaves what it has found at the rule."""
    known: dict[str, tuple[list[RulePart], list[tuple[bool, str]], dict[str, Any]]] = {}

    def parts(rule: Rule, text: str) -> Iterable[RulePart]:
        if text not in known:
            before = len(rule._trace)
            found = list(parse(rule, text))
            known[text] = found, rule._trace[before:], dict(rule._converters)
            return found
        found, trace, converters = known[text]
        rule._trace += trace
        rule._converters |= converters
        rule.arguments |= converters.keys()
        return found

    return parts


class _Templates(BytecodeCache):
    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if (compiled := self._compiled.get(bucket.key)) is not None:
            bucket.bytecode_from_string(compiled)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key] = bucket.bytecode_to_string()


def _one_context(create: Callable[[Connection, Any], SSLContext]) -> Callable[[Connection, Any], SSLContext]:
    """For those who say nothing of TLS; reading all authorities takes 20 ms for each connection."""
    default: list[SSLContext] = []

    def context(connection: Connection, wanted: Any) -> SSLContext:
        if wanted:
            return create(connection, wanted)
        if not default:
            default.append(create(connection, wanted))
        return default[0]

    return context


def _share_statements(patch: pytest.MonkeyPatch) -> None:
    """Each engine has a dialect of its own, by which it remembers what it compiled; those of one kind compile alike."""
    compiled: Any = LRUCache(2000)

    def kind(dialect: DefaultDialect) -> tuple[object, ...]:
        return type(dialect), dialect.statement_compiler, dialect.server_version_info

    patch.setattr(Engine, "_compiled_cache", property(lambda engine: compiled, lambda engine, own: None), raising=False)
    patch.setattr(DefaultDialect, "__hash__", lambda dialect: hash(type(dialect)))
    patch.setattr(
        DefaultDialect, "__eq__", lambda dialect, other: isinstance(other, DefaultDialect) and kind(dialect) == kind(other)
    )
