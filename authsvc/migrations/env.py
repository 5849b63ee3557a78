"""Alembic's environment: migrations run on the connection that `core.schema` gives them."""

from typing import Any

from alembic import context
from sqlalchemy import Table, event

import authsvc.wiring  # noqa: F401 - so that all tables are known when a revision is made
from authsvc.core import postgresql
from authsvc.core.db import Base


@event.listens_for(Table, "before_create")
def _ids_only_grow(table: Table, connection: Any, **_: Any) -> None:
    """On SQLite a table is changed by making it anew, under another name first; alembic forgets AUTOINCREMENT on the way."""
    model = Base.metadata.tables.get(table.name.removeprefix("_alembic_tmp_"))
    if model is not None:
        table.dialect_options["sqlite"]["autoincrement"] = model.dialect_options["sqlite"]["autoincrement"]


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
    include_object=postgresql.are_told_of,
)
with context.begin_transaction():
    context.run_migrations()
event.remove(Table, "before_create", _ids_only_grow)
