"""Configuration: read and change. Felt in every process before its next answer, since it counts as policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select

from authsvc.configuration.items import ITEMS
from authsvc.configuration.models import ConfigurationValue
from authsvc.core.db import db
from authsvc.core.errors import BadRequest


def values(execute: Callable[[Any], Any] | None = None) -> dict[str, Any]:
    """Every item with its present value."""
    run = execute or db.session.execute
    rows = run(select(ConfigurationValue.name, ConfigurationValue.value)).all()
    stored = {row.name: row.value for row in rows}
    return {name: stored.get(name, item.default) for name, item in ITEMS.items()}


def value(name: str) -> Any:
    """The present value of one item."""
    row = db.session.get(ConfigurationValue, name)
    return row.value if row is not None else ITEMS[name].default


def change(changes: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Set some items; names that are none of ours are passed over, as Harbor does. Returns what changed: item -> (before,
    after), for the audit log, which is written by whoever calls this since it is itself configured here.

    Raises:
        BadRequest: a value cannot be used; then nothing is changed.
    """
    parsed = {name: ITEMS[name].parse(name, given) for name, given in changes.items() if name in ITEMS}
    before = values()
    together = before | parsed
    if together["skip_audit_log_database"] and not together["audit_log_forward_endpoint"]:
        raise BadRequest("skip_audit_log_database needs audit_log_forward_endpoint: else the audit log would be nowhere")
    for name, new in parsed.items():
        row = db.session.get(ConfigurationValue, name)
        if row is None:
            db.session.add(ConfigurationValue(name=name, value=new))
        else:
            row.value = new
    db.session.flush()
    return {name: (before[name], new) for name, new in parsed.items() if new != before[name]}
