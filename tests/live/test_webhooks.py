"""Policies on a running stack: what clients do is told, by the worker, wherever it was seen."""

from __future__ import annotations

from tests.support.hook import hook
from tests.support.rawclient import RawClient
from tests.support.stack import Stack
from tests.support.waiting import eventually


def test_pushes_pulls_and_deletions_are_told(own_stack: Stack) -> None:
    with hook() as chat:
        own_stack.start(OUTGOING_ALLOW="127.0.0.1/32")
        policy = {
            "name": "chat",
            "enabled": True,
            "event_types": ["PUSH_ARTIFACT", "PULL_ARTIFACT", "DELETE_ARTIFACT"],
            "targets": [{"type": "http", "address": chat.url, "secret": "whsec_a2V5"}],
        }
        assert own_stack.api("POST", "/projects/library/webhook/policies", json=policy).status_code == 201
        client = RawClient(own_stack, own_stack.admin)
        digest = client.push("library/app", "v1")
        client.manifest("library/app", "v1")
        eventually(lambda: {"PUSH_ARTIFACT", "PULL_ARTIFACT"} <= {one.json["type"] for one in chat.told})
        assert own_stack.api("DELETE", "/projects/library/repositories/app/artifacts/v1").status_code == 200
        eventually(lambda: "DELETE_ARTIFACT" in {one.json["type"] for one in chat.told})
        told = [one.json for one in chat.told]
        assert [one["type"] for one in told].count("PUSH_ARTIFACT") == 1, "by the gate, and not by the registry's event once more"
        assert {one["event_data"]["resources"][0]["digest"] for one in told} == {digest}
        assert {one["operator"] for one in told} == {"admin"}
        assert all(one.headers["webhook-signature"].startswith("v1,") for one in chat.told)
