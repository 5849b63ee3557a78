"""The password that a database is shown, and what its errors say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from authsvc.core import engines
from authsvc.core.db import db


class Shown(Exception):
    """What a driver would have connected with."""


def shown(engine: Engine) -> str:
    with pytest.raises(Shown) as caught:
        engine.connect()
    return str(caught.value)


@pytest.fixture(params=["postgresql+psycopg", "mysql+pymysql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """One that says what it would connect with; its password lies in `password`."""
    made = create_engine(f"{request.param}://tidegate:old@127.0.0.1:1/x")
    engines.show_password(made, tmp_path / "password")

    def connect(dialect: object, record: object, arguments: object, options: dict[str, Any]) -> None:
        raise Shown(options["password"])

    event.listen(made, "do_connect", connect)
    return made


def test_each_connection_shows_what_the_file_holds_by_then(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "password"
    for password in ("first", "secönd: with/signs"):
        file.write_text(f"{password}\n")
        file.chmod(0o640)
        assert shown(engine) == password


def test_a_file_that_is_not_there_or_everybodys_is_as_no_database(engine: Engine, tmp_path: Path) -> None:
    for word in ("No such file", "readable by everybody"):
        with pytest.raises(OperationalError, match=f"TIDEGATE_DATABASE_PASSWORD_FILE: .*{word}"):
            engine.connect()
        (tmp_path / "password").write_text("secret")
        (tmp_path / "password").chmod(0o644)


@pytest.mark.parametrize("patient", [False, True])
def test_errors_do_not_say_what_was_stored(context: Flask, *, patient: bool) -> None:
    """They go into logs, and hashes and sealed secrets into statements."""
    engine = create_engine(db.engine.url, **engines.options(db.engine.url, patient=patient))
    with engine.connect() as connection, pytest.raises(SQLAlchemyError) as caught:
        connection.execute(text("SELECT :secret FROM nowhere"), {"secret": "Sup3rS3cret"})
    assert "Sup3rS3cret" not in str(caught.value)
    engine.dispose()
