"""What Prometheus reads of a running stack: all its processes together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.api.test_metrics import DOCUMENTED
from tests.support.rawclient import RawClient
from tests.support.stack import Stack
from tests.support.waiting import eventually

TOKENS = 30


def scrape(stack: Stack) -> Callable[..., float]:
    """A reader of what is given now: the sum of a name's samples that have these labels."""
    answer = requests.get(f"http://127.0.0.1:{stack.ports['metrics']}/metrics", timeout=30)
    assert answer.status_code == 200, answer.text
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    documented = {name.removesuffix("_total") if kind == "counter" else name for name, kind in DOCUMENTED.items()}
    assert names == documented

    def read(name: str, **labels: str) -> float:
        return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())

    return read


def test_all_processes_count_together(stack: Stack) -> None:
    client = RawClient(stack, stack.admin)
    client.push("library/counted", "v1")
    before = scrape(stack)
    for _ in range(TOKENS):
        assert stack.token(auth=stack.admin).status_code == 200
    client.push("library/counted", "v2", content="another")
    client.manifest("library/counted", "v2")
    eventually(lambda: scrape(stack)("tidegate_events_received_total") >= before("tidegate_events_received_total") + 2)
    found = scrape(stack)
    count = "tidegate_token_duration_seconds_count"
    assert found(count, status="200") - before(count, status="200") >= TOKENS
    passed = "tidegate_gate_duration_seconds_count"
    assert found(passed, status="204") > before(passed, status="204")
    assert found("harbor_core_http_request_total", code="201") > before("harbor_core_http_request_total", code="201")
    assert found("harbor_jobservice_task_total", type="RECONCILE", status="succeeded") >= 1
    assert found("harbor_project_repo_total", project_name="library") >= 1
    assert found("harbor_up") == found("harbor_health") * len(stack.api("GET", "/health").json()["components"])
    # Who dies has counted what he has counted.
    stack.kill("token")
    eventually(stack.is_well)
    assert scrape(stack)(count, status="200") >= found(count, status="200")


def test_who_gets_them(stack: Stack) -> None:
    port = stack.ports["metrics"]
    assert requests.get(f"http://127.0.0.1:{port}/api/v2.0/users", timeout=10).status_code == 404, "nothing else is there"
    for where, verify in ((stack.url, str(stack.ca)), (f"http://127.0.0.1:{port}", None)):
        assert requests.get(f"{where}/healthz/ready", verify=verify, timeout=10).text == "ready\n"
        assert requests.get(f"{where}/healthz/live", verify=verify, timeout=10).text == "live\n"
    for path in ("/internal/metrics", "/internal%2fmetrics", "//internal/metrics", "/metrics"):
        assert requests.get(f"{stack.url}{path}", verify=str(stack.ca), timeout=10).status_code == 404, path
    assert requests.get(f"http://127.0.0.1:{stack.ports['api']}/internal/metrics", timeout=10).status_code == 404


def test_nothing_is_left_in_memory(own_stack: Stack) -> None:
    own_stack.start()
    where = Path((own_stack.state_dir / "run" / "counted").read_text())
    assert where.stat().st_mode & 0o077 == 0
    assert list(where.glob("*.db"))
    own_stack.stop()
    assert not where.exists()
