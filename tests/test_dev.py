"""What developers run while they work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.support.ports import free_ports
from tests.support.waiting import until_up
from tests.support.world import PASSWORD

DEV = [sys.executable, "-m", "tests.dev"]


@pytest.mark.slow
def test_dev_answers_with_what_seed_put_in(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    environ = os.environ | {"STATE": str(tmp_path / "state"), "PORT": str(port)}
    subprocess.run([*DEV, "seed"], env=environ, check=True, capture_output=True)
    again = subprocess.run([*DEV, "seed"], env=environ, check=False, capture_output=True, text=True)
    assert (again.returncode, "Traceback" in again.stderr) == (1, False)
    log, url = tmp_path / "log", f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(DEV, env=environ, stdout=output, stderr=output)
    try:
        until_up(process, log, lambda: requests.get(f"{url}/api/v2.0/ping", timeout=5).ok)
        mine = requests.get(f"{url}/api/v2.0/projects", auth=("olivia", PASSWORD), timeout=30).json()
        assert {project["name"] for project in mine} == {"web", "base", "charts"}
        token = requests.get(f"{url}/service/token?service=harbor-registry", auth=("alice", PASSWORD), timeout=30)
        assert token.status_code == 200, "she is in the directory"
        path = "/api/v2.0/projects/charts/repositories/shop/artifacts/2.0.0/additions/readme.md"
        assert requests.get(url + path, auth=("mike", PASSWORD), timeout=30).text == "# Shop\n"
    finally:
        process.terminate()
        process.wait(20)
