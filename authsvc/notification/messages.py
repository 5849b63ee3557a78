"""An event as each kind of target wants it. Sources: Harbor's payloads, CloudEvents 1.0.2 (JSON event format), the makers' own
pages about incoming webhooks, Standard Webhooks 1.0 (signatures). Pure.

Names in an event are chosen by others; nothing in them addresses anybody or becomes a link.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from authsvc.core.clock import rfc3339
from authsvc.notification import events, rules
from authsvc.notification.events import Event, Resource
from authsvc.notification.rules import Target

_CLOUD_TYPES = {
    "DELETE_ARTIFACT": "harbor.artifact.deleted",
    "PULL_ARTIFACT": "harbor.artifact.pulled",
    "PUSH_ARTIFACT": "harbor.artifact.pushed",
    "QUOTA_EXCEED": "harbor.quota.exceeded",
    "QUOTA_WARNING": "harbor.quota.warned",
    "REPLICATION": "harbor.replication.status.changed",
    "SCANNING_COMPLETED": "harbor.scan.completed",
    "SCANNING_FAILED": "harbor.scan.failed",
    "SCANNING_STOPPED": "harbor.scan.stopped",
    "TAG_RETENTION": "harbor.tag_retention.finished",
}
_VERBS = {"DELETE_ARTIFACT": "deleted", "PULL_ARTIFACT": "pulled", "PUSH_ARTIFACT": "pushed"}
_ARTIFACTS = ("successful_artifact", "failed_artifact")  # of a replication
_SHOWN = 10  # things in a text


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One attempt: `id` is the event's for this target, the same at each; `at`: Unix seconds."""

    id: str
    policy_id: int
    at: int
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What is POSTed."""

    url: str
    body: bytes
    headers: Mapping[str, str]


def message(target: Target, event: Event, delivery: Delivery) -> Message:
    """The request by which a target is told."""
    return _BY_TYPE[target.type](target, event, delivery)


def is_taken(target: Target, status: int, said: Mapping[str, Any]) -> bool:
    """Whether an answer says that the message was taken; some say otherwise with status 200."""
    code = said.get(_CODES[target.type], 0) if target.type in _CODES else 0
    return 200 <= status < 300 and code == 0


def text(event: Event) -> str:
    """An event for people, in a line for each thing."""
    verb = _VERBS.get(event.type)
    if verb is None:
        return "\n".join(filter(None, [f"{event.type} {event.repository}", _said(event)]))
    return "\n".join(_shown([f"{event.operator} {verb} {one.url}" for one in event.resources]))


def _said(event: Event) -> str:
    if retention := event.details.get("retention"):
        deleted = [f"deleted {one['name_tag']}" for one in retention["deleted_artifact"]]
        return "\n".join([f"{retention['retained']} of {retention['total']} artifacts stay", *_shown(deleted)])
    if replication := event.details.get("replication"):
        named = [f"{one['status'].lower()} {one['name_tag']}" for kind in _ARTIFACTS for one in replication[kind]]
        return "\n".join([f"to {replication['dest_resource']['registry_name']}: {replication['job_status']}", *_shown(named)])
    if "scan" in event.details:
        return "\n".join(_shown([f"{one.url}: {_verdict(one)}" for one in event.resources]))
    return str(event.details.get("custom_attributes", {}).get("Details", ""))


def _verdict(scanned: Resource) -> str:
    """What a scan came to, if it came to anything."""
    for overview in scanned.details.get("scan_overview", {}).values():
        counts = overview.get("summary", {})
        number, fixable = counts.get("total", 0), counts.get("fixable", 0)
        found = f"{number} vulnerabilities, {fixable} of them fixable, the worst {overview.get('severity', '')}"
        return f"{overview.get('scan_status', '')}: {found}" if counts else str(overview.get("scan_status", ""))
    return ""


def _shown(lines: Sequence[str]) -> Sequence[str]:
    left = len(lines) - _SHOWN
    return [*lines[:_SHOWN], *([f"and {left} more"] if left > 0 else [])]


def _http(target: Target, event: Event, delivery: Delivery) -> Message:
    if target.payload_format == rules.CLOUD_EVENTS:
        body, kind = _cloud_event(event, delivery), "application/cloudevents+json"
    else:
        body, kind = events.default(event), "application/json"
    return _signed(target, _json(body), kind, delivery)


def _cloud_event(event: Event, delivery: Delivery) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": delivery.id,
        "source": f"/projects/{event.project_id}/webhook/policies/{delivery.policy_id}",
        "type": _CLOUD_TYPES[event.type],
        "time": rfc3339(datetime.fromtimestamp(event.occurred, UTC)),
        "datacontenttype": "application/json",
        "operator": event.operator,
        **({"requestid": delivery.request_id} if delivery.request_id else {}),
        "data": events.data(event),
    }


def _signed(target: Target, body: bytes, kind: str, delivery: Delivery) -> Message:
    headers = {"Content-Type": kind, "webhook-id": delivery.id, "webhook-timestamp": str(delivery.at)}
    if target.auth_header:
        headers["Authorization"] = target.auth_header
    if target.secret:
        said = f"{delivery.id}.{delivery.at}.".encode() + body
        headers["webhook-signature"] = f"v1,{_mac(_key(target.secret), said)}"
    return Message(target.address, body, headers)


def _key(secret: str) -> bytes:
    """`whsec_` and base64, or any text."""
    bare = secret.removeprefix("whsec_")
    if bare != secret:
        try:
            return base64.b64decode(bare, validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def _mac(key: bytes, said: bytes) -> str:
    return base64.b64encode(hmac.digest(key, said, hashlib.sha256)).decode()


def _slack(target: Target, event: Event, delivery: Delivery) -> Message:
    said = text(event).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": f"*{event.type}*\n{said}"}}]
    return _plain(target, {"text": said, "blocks": blocks}, delivery)


def _discord(target: Target, event: Event, delivery: Delivery) -> Message:
    return _plain(target, {"content": text(event)[:2000], "allowed_mentions": {"parse": []}}, delivery)


def _teams(target: Target, event: Event, delivery: Delivery) -> Message:
    said = "".join(f"\\{char}" if char in "\\`*_[]()#<>~|!" else char for char in text(event)).replace("\n", "\n\n")
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "weight": "Bolder", "text": event.type.replace("_", " ")},
            {"type": "TextBlock", "wrap": True, "text": said},
        ],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return _plain(target, {"type": "message", "attachments": [attachment]}, delivery)


def _dingtalk(target: Target, event: Event, delivery: Delivery) -> Message:
    body = {"msgtype": "text", "text": {"content": text(event)}, "at": {"isAtAll": False}}
    made = _plain(target, body, delivery)
    if not target.secret:
        return made
    moment = delivery.at * 1000
    sign = quote(_mac(target.secret.encode(), f"{moment}\n{target.secret}".encode()), safe="")
    joined = "&" if "?" in made.url else "?"
    return Message(f"{made.url}{joined}timestamp={moment}&sign={sign}", made.body, made.headers)


def _wecom(target: Target, event: Event, delivery: Delivery) -> Message:
    return _plain(target, {"msgtype": "text", "text": {"content": text(event)}}, delivery)


def _feishu(target: Target, event: Event, delivery: Delivery) -> Message:
    said = text(event).replace("<", "(").replace(">", ")")  # <at user_id="all"> would call everybody
    body: dict[str, Any] = {"msg_type": "text", "content": {"text": said}}
    if target.secret:
        body |= {"timestamp": str(delivery.at), "sign": _mac(f"{delivery.at}\n{target.secret}".encode(), b"")}
    return _plain(target, body, delivery)


def _plain(target: Target, body: Mapping[str, Any], delivery: Delivery) -> Message:
    headers = {"Content-Type": "application/json", "webhook-id": delivery.id}
    if target.auth_header:
        headers["Authorization"] = target.auth_header
    return Message(target.address, _json(body), headers)


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


_BY_TYPE: Mapping[str, Callable[[Target, Event, Delivery], Message]] = {
    rules.HTTP: _http,
    rules.SLACK: _slack,
    rules.DISCORD: _discord,
    rules.TEAMS: _teams,
    rules.DINGTALK: _dingtalk,
    rules.WECOM: _wecom,
    rules.FEISHU: _feishu,
}
_CODES = {rules.DINGTALK: "errcode", rules.WECOM: "errcode", rules.FEISHU: "code"}
