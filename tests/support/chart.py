"""The chart, and helm: of PATH or beside our Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.support import clients

_HELM = Path(__file__).parents[2] / "deploy" / "helm"
CHART, EXAMPLES = _HELM / "tidegate", _HELM / "examples"


def helm(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [shutil.which("helm", path=str(Path(sys.executable).parent)) or clients.program("helm"), *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
