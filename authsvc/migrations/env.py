"""Alembic's environment: migrations run on the connection that `core.schema` gives them."""

from alembic import context

import authsvc.wiring  # noqa: F401 - so that all tables are known when a revision is made
from authsvc.core.db import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
