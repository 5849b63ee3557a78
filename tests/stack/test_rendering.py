"""supervisord's configuration: what is started and stopped in which order."""

from __future__ import annotations

from configparser import RawConfigParser

import pytest

from authsvc.core.base import create_base
from authsvc.core.db import db
from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.stack import rendering
from authsvc.stack.prepare import prepare

pytestmark = pytest.mark.once


def test_nginx_lets_go_first_and_the_registry_is_there_until_nobody_asks_it(settings: Settings) -> None:
    app = create_base(settings)
    ready = prepare(app, settings)
    with app.app_context():
        db.engine.dispose()
    rendering.on_host(settings, ready.certificate, ready.key)
    read = RawConfigParser()
    read.read(Layout(settings).config / "supervisord.conf")
    groups = [read[name] for name in read.sections() if name.startswith("group:")]
    stopped = sorted(groups, key=lambda group: -int(group["priority"]))
    assert [group["programs"].split(",") for group in stopped] == [["nginx"], ["webhook", "token", "api", "worker"], ["registry"]]
