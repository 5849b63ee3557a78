"""The path itself."""

import os
import re
import time
from pathlib import Path

import requests

from tests.support.stack import Stack
from tests.support.waiting import eventually


def test_it_starts_proves_itself_and_says_how_to_log_in(stack: Stack) -> None:
    assert len(stack.admin[1]) >= 20
    assert stack.api("GET", "/users/current").json()["username"] == "admin"
    assert stack.api("GET", "/health", params={"strict": "true"}).status_code == 200


def test_an_idle_stack_is_idle(stack: Stack) -> None:
    """A loop that never sleeps takes all of a core, or what others leave of it. One that rests takes far less, though on some machines
    each waking costs ten times what it does on others. What was asked before may still keep it busy for a while."""

    def rests() -> bool:
        before = {program: _cpu_seconds(stack, program) for program in ("worker", "webhook", "api", "token")}
        time.sleep(3)
        return all(_cpu_seconds(stack, program) - seconds < 1.8 for program, seconds in before.items())

    eventually(rests)


def _cpu_seconds(stack: Stack, program: str) -> float:
    ticks = 0
    for pid in stack.pids(program):
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(after_name[11]) + int(after_name[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def test_pages_load_nothing_from_elsewhere_and_no_script_of_their_own(stack: Stack) -> None:
    for path in ("/", "/api"):
        page = requests.get(stack.url + path, verify=str(stack.ca), timeout=10)
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", page.text)
        assert not re.search(r"<script(?![^>]*\ssrc=)", page.text)
        for link in re.findall(r"""(?:src|href)=["'](/static/[^"']+)""", page.text):
            file = requests.get(stack.url + link, verify=str(stack.ca), timeout=10)
            assert (file.status_code, file.headers.get("Content-Encoding")) == (
                200,
                "gzip" if len(file.content) > 1024 else None,
            ), link
