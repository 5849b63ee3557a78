"""Migrations and models say the same, and many may start at once."""

from __future__ import annotations

import threading
from collections.abc import Callable

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from authsvc.core import postgresql, schema, versioning
from authsvc.core.base import create_base
from authsvc.core.db import Base, db
from authsvc.core.settings import Settings
from tests.support.databases import Databases


def test_migrations_give_what_the_models_say(settings: Settings) -> None:
    app = create_base(settings)
    with app.app_context():
        with db.engine.connect() as connection:
            opts = {"compare_type": True, "include_object": postgresql.are_told_of}
            context = MigrationContext.configure(connection, opts=opts)
            assert compare_metadata(context, Base.metadata) == []
        assert versioning.current() == 1
        db.session.rollback()
        db.engine.dispose()


def test_ids_of_all_tables_only_grow_on_sqlite(settings: Settings) -> None:
    app = create_base(settings)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            made: dict[str, str] = dict(
                db.session.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).all()
            )
            for name, table in Base.metadata.tables.items():
                assert ("AUTOINCREMENT" in made[name]) is table.dialect_options["sqlite"]["autoincrement"], name
        db.session.rollback()
        db.engine.dispose()


def test_a_schema_that_is_new_enough_is_left_alone(settings: Settings) -> None:
    app = create_base(settings)
    assert schema.upgrade(app) is False
    with app.app_context():
        db.engine.dispose()


def test_indexes_that_only_postgresql_needs_are_made_at_a_start(settings: Settings) -> None:
    app = create_base(settings)
    with app.app_context(), db.engine.begin() as connection:
        if connection.dialect.name != "postgresql":
            assert postgresql.make_indexes(connection) is False
            return
        connection.execute(text("DROP EXTENSION pg_trgm CASCADE"))
    assert schema.upgrade(app) is False
    with app.app_context():
        made = db.session.scalars(text("SELECT indexname FROM pg_indexes WHERE indexname ~ '_(trgm|name_bytes)$'"))
        parts = ("audit_logs_resource", "audit_logs_username", "projects_name", "repositories_name", "tags_name")
        assert set(made) == {"ix_repositories_name_bytes", *(f"ix_{part}_trgm" for part in parts)}
        db.session.rollback()
        db.engine.dispose()


def test_of_many_that_start_at_once_one_migrates(databases: Databases, make_settings: Callable[..., Settings]) -> None:
    app = create_base(make_settings())
    with app.app_context():
        with db.engine.begin() as connection:
            Base.metadata.drop_all(connection)
            connection.exec_driver_sql("DROP TABLE alembic_version")
        engine = db.engine
    did: list[bool] = []
    threads = [threading.Thread(target=lambda: did.append(schema.upgrade(app))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(did) == [False, False, False, True]
    engine.dispose()
