"""The conformance suite of the OCI distribution specification, against any registry."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.support import gotools, once

_MODULE = "github.com/opencontainers/distribution-spec/conformance"
_VERSION = "v0.0.0-20260831232431-97274622c111"
SPECIFICATION = "1.1"


@dataclass(frozen=True)
class Result:
    """How often each check ran with which outcome; names are the suite's, and may stand for several checks."""

    passed: Counter[str]
    failed: Counter[str]

    @property
    def summary(self) -> str:
        return f"{self.passed.total()} passed, {self.failed.total()} failed"

    def lost(self, other: Result) -> set[str]:
        """Checks that pass more often here than in the other one."""
        return {name for name, times in self.passed.items() if other.passed[name] < times}


def run(host: str, directory: Path, *, user: tuple[str, str] | None = None, ca: Path | None = None) -> Result:
    """Run everything that the suite has switched on by itself; `ca`: speak TLS, and trust this one.

    Raises:
        NoGo
    """
    program = gotools.build(_MODULE, _VERSION, once.CACHE / "conformance" / _VERSION)
    directory.mkdir(parents=True)
    environ = {key: value for key, value in os.environ.items() if not key.startswith("OCI_")}
    environ |= {
        "OCI_REGISTRY": host,
        "OCI_VERSION": SPECIFICATION,
        "OCI_TLS": "enabled" if ca else "disabled",
        "OCI_RESULTS_DIR": str(directory),
        "OCI_LOG": "error",
    }
    if user:
        environ |= {"OCI_USERNAME": user[0], "OCI_PASSWORD": user[1]}
    if ca:
        environ["SSL_CERT_FILE"] = str(ca)
    subprocess.run(
        [program], env=environ, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300, check=False
    )
    return _read(directory / "junit.xml")


def _read(report: Path) -> Result:
    passed: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for case in ET.parse(report).getroot().iter("testcase"):
        name = case.attrib["name"].partition("/")[2]
        if case.attrib["status"] == "passed":
            passed[name] += 1
        elif case.attrib["status"] != "skipped":
            failed[name] += 1
    return Result(passed, failed)
