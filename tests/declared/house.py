"""Documents, and what they leave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from click.testing import Result
from sqlalchemy import func, select

from authsvc.core.db import Base, db
from tests.support.world import World


def write(tmp_path: Path, text: str | dict[str, Any], name: str = "tidegate.yml") -> str:
    file = tmp_path / name
    file.write_text(text if isinstance(text, str) else yaml.safe_dump(text))
    return str(file)


def error(done: Result) -> str:
    assert done.exit_code != 0
    return str(done.exception)


def rows(world: World) -> dict[str, int]:
    with world.front.flask.app_context():
        names = set(Base.metadata.tables) - {"audit_log", "policy_version"}
        found = {name: db.session.scalar(select(func.count()).select_from(Base.metadata.tables[name])) or 0 for name in names}
        db.session.rollback()
    return found
