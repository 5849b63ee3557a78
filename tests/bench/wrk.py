"""wrk, run and read."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Load:
    """What a run gave: requests a second, latency in ms, and answers that were no success."""

    rate: float
    p50: float
    p99: float
    errors: int


def run(
    url: str, *, seconds: float, headers: dict[str, str] | None = None, script: Path | None = None, connections: int = 32
) -> Load:
    """Load a URL from one thread for some seconds."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency"]
    for name, value in (headers or {}).items():
        command += ["-H", f"{name}: {value}"]
    if script is not None:
        command += ["-s", str(script)]
    output = subprocess.run([*command, url], capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    return _read(output)


def _read(output: str) -> Load:
    def number(pattern: str) -> float:
        found = re.search(pattern, output)
        return float(found[1]) if found else 0.0

    def milliseconds(percentile: str) -> float:
        found = re.search(rf"\s{percentile}%\s+([\d.]+)(us|ms|s|m)\b", output)
        return float(found[1]) * _UNITS[found[2]] if found else 0.0

    refused = number(r"Non-2xx or 3xx responses: (\d+)")
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    return Load(
        rate=number(r"Requests/sec:\s+([\d.]+)"),
        p50=milliseconds("50"),
        p99=milliseconds("99"),
        errors=int(refused) + (sum(map(int, broken.groups())) if broken else 0),
    )


def random_script(path: Path, requests: list[tuple[str, str]]) -> Path:
    """A script that sends one of these (path, Authorization) pairs at random with each request."""
    lines = "\n".join(f"{target} {authorization}" for target, authorization in requests)
    data = path.with_suffix(".txt")
    data.write_text(lines)
    path.write_text(
        f'local made = {{}}\nmath.randomseed(1)\nfor line in io.lines("{data}") do\n'
        '  local target, authorization = line:match("^(%S+) (.*)$")\n'
        '  made[#made + 1] = wrk.format("GET", target, {["Authorization"] = authorization, ["Host"] = "localhost"})\nend\n'
        "request = function() return made[math.random(#made)] end\n"
    )
    return path
