"""What makes tests begin quickly. Nearly each makes an application, a database and some users of its own, and what these cost was
most of the time that tests took; none of it is what they are about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from authsvc.core import db
from authsvc.users import passwords


def begin_quickly(patch: pytest.MonkeyPatch) -> None:
    """Until the patch is undone: URLs and statements are compiled once in this process, not once for each application; passwords
    are hashed with parameters that nobody should use; SQLite does not wait for the disk."""
    patch.setattr(Rule, "_compile_builder", _once(Rule._compile_builder))
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
