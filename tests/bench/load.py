"""Load from wrk: one thread, 32 connections unless said otherwise, on the machine that also serves."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CONNECTIONS = 32
PAIRS_SCRIPT = Path(__file__).parent / "pairs.lua"
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True, slots=True)
class Measured:
    """Requests per second, milliseconds, how many requests there were, and how many failed or were not answered by 2xx.

    Of the server's processes: `cpu`, microseconds of processor time for each request, which other load on the machine
    hardly changes; `memory` in MB.
    """

    per_second: float
    p50: float | None = None
    p99: float | None = None
    requests: int = 0
    errors: int = 0
    cpu: float | None = None
    memory: float | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What wrk sends: one request again and again, or what a script makes up (`script`, then its arguments)."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    script: Sequence[str] = ()


def wrk(request: Request, seconds: int, *, keep_alive: bool, connections: int = CONNECTIONS) -> Measured:
    """Send a request for that many seconds; each on a connection of its own unless `keep_alive`."""
    headers = dict(request.headers) | ({} if keep_alive else {"Connection": "close"})
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s", "--latency"]
    command += ["--timeout", "10s"]
    for name, value in headers.items():
        command += ["--header", f"{name}: {value}"]
    if request.script:
        command += ["--script", request.script[0], request.url, "--", *request.script[1:]]
    else:
        command.append(request.url)
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"wrk failed: {done.stdout}{done.stderr}")
    return parse(done.stdout)


def parse(output: str) -> Measured:
    """Read wrk's report."""
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    requests = re.search(r"(\d+) requests in ", output)
    if rate is None or requests is None:
        raise RuntimeError(f"this is no report of wrk's: {output}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    broken = re.search(r"Socket errors: (.+)", output)
    errors = int(refused[1]) if refused else 0
    errors += sum(map(int, re.findall(r"\d+", broken[1]))) if broken else 0
    return Measured(float(rate[1]), _percentile(output, 50), _percentile(output, 99), int(requests[1]), errors)


def _percentile(output: str, percent: int) -> float:
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)\s*$", output, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"this is no report of wrk's: {output}")
    return float(found[1]) * _UNITS[found[2]]
