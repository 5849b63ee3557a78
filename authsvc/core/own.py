"""What a process learns and keeps for as long as one application lives: breakers, pools, fetched keys."""

from __future__ import annotations

from typing import TypeVar

from flask import current_app

T = TypeVar("T")


def own(kind: type[T]) -> T:
    """The present application's one object of a class, made when it is first asked for. Needs an application context."""
    kept: T = current_app.extensions.get(kind.__qualname__) or current_app.extensions.setdefault(kind.__qualname__, kind())
    return kept
