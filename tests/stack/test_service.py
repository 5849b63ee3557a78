"""The unit for systemd: it is one, and gives no more than is needed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from authsvc.cli import cli
from authsvc.core.settings import Settings

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "tidegate.service"
_WORST = 25  # tenths of systemd's scale, on which 100 is a service that may do anything

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"),
]


def analyze(unit: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments, str(unit)], capture_output=True, text=True, timeout=60, check=False)


def test_systemd_understands_it(tmp_path: Path) -> None:
    """With a program that is there."""
    unit = tmp_path / UNIT.name
    unit.write_text(re.sub(r"/opt/tidegate/\.venv/bin/authsvc", "/bin/true", UNIT.read_text()))
    done = analyze(unit, "verify")
    assert (done.returncode, done.stderr) == (0, "")
    unit.write_text(unit.read_text().replace("KillMode", "KilMode"))
    assert "KilMode" in analyze(unit, "verify").stderr, "it would say so"


def test_it_may_do_little() -> None:
    done = analyze(UNIT, "security", "--offline=true", f"--threshold={_WORST}")
    assert done.returncode == 0, done.stdout[-500:]


def test_it_names_what_there_is() -> None:
    text = UNIT.read_text()
    for command in re.findall(r"^Exec\w+=\S+authsvc (\w+)$", text, re.MULTILINE):
        assert command in cli.commands
    for setting in re.findall(r"^Environment=TIDEGATE_(\w+)=", text, re.MULTILINE):
        assert setting == "ENV_FILE" or setting.lower() in Settings.__dataclass_fields__
    (stop,) = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert int(stop) > Settings().drain_seconds + 15, "what is being carried arrives"
