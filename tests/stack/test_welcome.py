"""What `authsvc up` says, and what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from authsvc.core.layout import Layout
from authsvc.core.settings import Settings
from authsvc.stack.prepare import Prepared
from authsvc.stack.welcome import welcome

pytestmark = pytest.mark.once


@pytest.mark.parametrize("in_journal", [False, True])
def test_the_first_password_is_shown_once_and_in_no_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], in_journal: bool
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    if in_journal:
        monkeypatch.setenv("JOURNAL_STREAM", "8:12345")
    settings = Settings(state_dir=tmp_path)
    file = tmp_path / "first"
    file.write_text("a-generated-one")
    welcome(settings, Prepared(Layout(settings), tmp_path, tmp_path, file), 1.0, "")
    said = capsys.readouterr().out
    assert ("a-generated-one" in said) is not in_journal
    assert (str(file) in said) is in_journal
    assert file.exists() is in_journal
