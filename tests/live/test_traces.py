"""Traces: one push is one trace, from the client's own through all processes; a collector that is away holds up nobody."""

from __future__ import annotations

import json
import secrets

from tests.support.otlp import collector
from tests.support.rawclient import RawClient
from tests.support.stack import Stack
from tests.support.waiting import eventually


def test_a_push_is_one_trace_and_nobody_waits_for_the_collector(own_stack: Stack) -> None:
    own_stack.environment["OTEL_BSP_SCHEDULE_DELAY"] = "200"
    with collector() as collected:
        stack = own_stack.start(TRACES_ENDPOINT=collected.url)
        client = RawClient(stack, stack.admin)
        trace_id = secrets.token_hex(16)
        client.session.headers["traceparent"] = f"00-{trace_id}-{secrets.token_hex(8)}-01"
        client.push("library/app", "v1")
        assert client.manifest("library/app", "v1").status_code == 200

        def spans() -> set[tuple[str, str]]:
            return {(one.process, one.name) for one in collected.spans if one.trace_id == trace_id}

        wanted = {
            ("api", "putManifest"),
            ("api", "registry PUT"),
            ("api", "registry GET"),
            ("api", "INSERT"),
            ("token", "GET /internal/gate"),
        }
        eventually(lambda: wanted <= spans())
        eventually(lambda: {"job RECONCILE"} <= {one.name for one in collected.spans if one.process == "worker"})
        eventually(lambda: ("webhook", "POST /webhook/registry") in {(one.process, one.name) for one in collected.spans})
        said = json.dumps([one.attributes for one in collected.spans])
        assert stack.admin[1] not in said
        assert "Authorization" not in said
        ids = {one.attributes["tidegate.request_id"] for one in collected.spans if "tidegate.request_id" in one.attributes}
        assert any(len(one) == 32 for one in ids), "nginx's"
    client.push("library/app", "v2")  # the collector is away
    assert stack.is_well()
