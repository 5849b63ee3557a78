"""Each kind of target gets what its maker documents, signed as he wants it, and names address nobody."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from authsvc.notification import rules
from authsvc.notification.events import Event, Resource
from authsvc.notification.messages import Delivery, is_taken, message
from authsvc.notification.rules import Target

DIGEST = "sha256:" + "0" * 64
RESOURCE = Resource(digest=DIGEST, tag="v1", url="registry.example.com/web/app:v1")
EVENT = Event(
    type="PUSH_ARTIFACT",
    occurred=1_790_000_000,
    operator="ali<ce>",
    project_id=7,
    repository="web/deep/app",
    is_public=True,
    created=1_780_000_000,
    resources=(RESOURCE,),
)
DELIVERY = Delivery(id="msg_1_0", policy_id=3, at=1_790_000_001, request_id="req")
ADDRESS = "https://hooks.example.com/x?access_token=y"


def target(type_: str, **changes: Any) -> Target:
    given: dict[str, Any] = {"payload_format": rules.DEFAULT, "skip_cert_verify": False}
    return Target(type=type_, address=ADDRESS, **given | changes)


def body(type_: str, **changes: Any) -> Any:
    return json.loads(message(target(type_, **changes), EVENT, DELIVERY).body)


def test_harbors_own() -> None:
    assert body(rules.HTTP) == {
        "type": "PUSH_ARTIFACT",
        "occur_at": 1_790_000_000,
        "operator": "ali<ce>",
        "event_data": {
            "resources": [{"digest": DIGEST, "tag": "v1", "resource_url": RESOURCE.url}],
            "repository": {
                "date_created": 1_780_000_000,
                "name": "deep/app",
                "namespace": "web",
                "repo_full_name": "web/deep/app",
                "repo_type": "public",
            },
        },
    }


def test_cloud_events() -> None:
    made = message(target(rules.HTTP, payload_format=rules.CLOUD_EVENTS), EVENT, DELIVERY)
    assert made.headers["Content-Type"] == "application/cloudevents+json"
    said = json.loads(made.body)
    assert said.pop("data") == body(rules.HTTP)["event_data"]
    assert said == {
        "specversion": "1.0",
        "id": "msg_1_0",
        "source": "/projects/7/webhook/policies/3",
        "type": "harbor.artifact.pushed",
        "time": "2026-09-21T14:13:20.000Z",
        "datacontenttype": "application/json",
        "operator": "ali<ce>",
        "requestid": "req",
    }


@pytest.mark.parametrize(
    ("secret", "key"),
    [("a secret", b"a secret"), ("whsec_a2V5", b"key"), ("whsec_!", b"whsec_!")],
    ids=["text", "base64", "neither"],
)
def test_signed_as_standard_webhooks_say(secret: str, key: bytes) -> None:
    made = message(target(rules.HTTP, secret=secret, auth_header="Bearer x"), EVENT, DELIVERY)
    said = b"msg_1_0.1790000001." + made.body
    assert made.headers["webhook-signature"] == "v1," + base64.b64encode(hmac.digest(key, said, hashlib.sha256)).decode()
    assert (made.headers["webhook-id"], made.headers["webhook-timestamp"]) == ("msg_1_0", "1790000001")
    assert made.headers["Authorization"] == "Bearer x", "as it was given"


def test_slack_and_discord_call_nobody() -> None:
    slack = body(rules.SLACK)
    assert "ali&lt;ce&gt; pushed registry.example.com/web/app:v1" in slack["blocks"][0]["text"]["text"]
    assert "<" not in slack["text"]
    discord = body(rules.DISCORD)
    assert (discord["content"], discord["allowed_mentions"]) == (
        "ali<ce> pushed registry.example.com/web/app:v1",
        {"parse": []},
    )


def test_teams_gets_a_card() -> None:
    (attachment,) = body(rules.TEAMS)["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    title, said = attachment["content"]["body"]
    assert title["text"] == "PUSH ARTIFACT"
    assert "ali\\<ce\\> pushed" in said["text"]


def test_dingtalk_signs_in_the_address() -> None:
    made = message(target(rules.DINGTALK, secret="SEC1"), EVENT, DELIVERY)
    query = parse_qs(urlsplit(made.url).query)
    wanted = hmac.digest(b"SEC1", b"1790000001000\nSEC1", hashlib.sha256)
    assert query == {
        "access_token": ["y"],
        "timestamp": ["1790000001000"],
        "sign": [base64.b64encode(wanted).decode()],
    }
    assert json.loads(made.body)["text"]["content"] == "ali<ce> pushed registry.example.com/web/app:v1"
    assert message(target(rules.DINGTALK), EVENT, DELIVERY).url == ADDRESS


def test_feishu_signs_in_the_body_and_calls_nobody() -> None:
    said = body(rules.FEISHU, secret="S")
    wanted = hmac.digest(b"1790000001\nS", b"", hashlib.sha256)
    assert (said["timestamp"], said["sign"]) == ("1790000001", base64.b64encode(wanted).decode())
    assert said["content"]["text"].startswith("ali(ce) pushed")
    assert "sign" not in body(rules.FEISHU)


def test_wecom() -> None:
    assert body(rules.WECOM) == {"msgtype": "text", "text": {"content": "ali<ce> pushed registry.example.com/web/app:v1"}}


@pytest.mark.parametrize(
    ("type_", "status", "said", "taken"),
    [
        (rules.HTTP, 204, {}, True),
        (rules.HTTP, 302, {}, False),
        (rules.HTTP, 200, {"errcode": 1}, True),
        (rules.DINGTALK, 200, {"errcode": 0}, True),
        (rules.DINGTALK, 200, {"errcode": 310000, "errmsg": "sign not match"}, False),
        (rules.WECOM, 200, {"errcode": 93000}, False),
        (rules.FEISHU, 200, {"code": 19021}, False),
        (rules.FEISHU, 200, {}, True),
    ],
)
def test_what_counts_as_taken(type_: str, status: int, said: dict[str, Any], taken: bool) -> None:
    assert is_taken(target(type_), status, said) == taken


def test_events_survive_the_queue() -> None:
    assert Event.from_json(json.loads(json.dumps(EVENT.as_json()))) == EVENT
