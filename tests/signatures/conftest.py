"""A project in front of a registry."""

from __future__ import annotations

from tests.gate.conftest import site

__all__ = ["site"]
