"""Migrations and models say the same, and many may start at once."""

from __future__ import annotations

import threading
from collections.abc import Callable

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from authsvc.core import schema, versioning
from authsvc.core.base import create_base
from authsvc.core.db import Base, db
from authsvc.core.settings import Settings
from tests.support.databases import Databases


def test_migrations_give_what_the_models_say(settings: Settings) -> None:
    app = create_base(settings)
    with app.app_context():
        with db.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []
        assert versioning.current() == 1
        db.session.rollback()
        db.engine.dispose()


def test_a_schema_that_is_new_enough_is_left_alone(settings: Settings) -> None:
    app = create_base(settings)
    assert schema.upgrade(app) is False
    with app.app_context():
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
