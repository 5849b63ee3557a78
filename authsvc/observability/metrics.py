"""What processes count and time, for Prometheus: Harbor's names where it has them, ours beside them. No label takes a value that
somebody outside chooses.

Several processes of a host add up in files of one directory, which `DIRECTORY` names in their environment before this is loaded;
without it each counts for itself.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, Summary, disable_created_metrics
from prometheus_client.multiprocess import MultiProcessCollector

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"  # the library's own name for it
_MEMORY = Path("/dev/shm")  # noqa: S108 - a name that nobody can guess, below it

disable_created_metrics()  # type: ignore[no-untyped-call]
_own = CollectorRegistry()
_QUICK = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds

TOKENS = Histogram("tidegate_token_duration_seconds", "Answers of the token endpoint", ["status"], registry=_own, buckets=_QUICK)
PASSAGES = Histogram(
    "tidegate_gate_duration_seconds",
    "Requests to the registry that the gate judged, by the status that it let them have (204: passed on)",
    ["status"],
    registry=_own,
    buckets=_QUICK,
)
LOGINS = Counter("tidegate_logins", "Credentials that were looked at, by what came of it", ["result"], registry=_own)
REQUESTS = Counter(
    "harbor_core_http_request", "Requests to the API and the pages", ["method", "code", "operation"], registry=_own
)
REQUEST_SECONDS = Summary(
    "harbor_core_http_request_duration_seconds", "Requests to the API and the pages", ["method", "operation"], registry=_own
)
CACHED = Counter(
    "tidegate_proxy_cache_reads",
    "Reads of what proxy caches hold: from here, from the other registry, or from here as it was, since that one did not answer",
    ["what", "result"],
    registry=_own,
)
for _labels in (("manifest", "hit"), ("manifest", "miss"), ("manifest", "stale"), ("blob", "hit"), ("blob", "miss")):
    CACHED.labels(*_labels)  # there from the start: whoever counts by differences would miss the first
EVENTS = Counter("tidegate_events_received", "Events that registries have told the webhook", registry=_own)
TASKS = Counter("harbor_jobservice_task", "Tasks that have ended, by how", ["type", "status"], registry=_own)
TASK_SECONDS = Summary("harbor_jobservice_task_process_time_seconds", "Time that tasks took", ["type", "status"], registry=_own)


def families() -> Iterator[Metric]:
    """What all processes of this host have counted since the stack was started."""
    directory = os.environ.get(DIRECTORY)
    if directory is None:
        yield from _own.collect()
        return
    together = CollectorRegistry()
    MultiProcessCollector(together, directory)  # type: ignore[no-untyped-call]
    yield from together.collect()


def begin(note: Path) -> Path:
    """A new directory for processes to count in; what was counted before is the past's. `note` says where it is.

    It lies in memory: the library writes to mapped files, and who writes to one that a full disk cannot hold is killed.
    """
    end(note)
    directory = Path(tempfile.mkdtemp(prefix="tidegate-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None))
    note.write_text(str(directory))
    return directory


def end(note: Path) -> None:
    """Forget all that was counted."""
    with suppress(FileNotFoundError):
        shutil.rmtree(note.read_text(), ignore_errors=True)
        note.unlink()
