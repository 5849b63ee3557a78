"""Events as registry 2.8 sends them."""

from __future__ import annotations

import json
import uuid
from typing import Any

from authsvc.distribution.manifest import OCI_MANIFEST


def event(action: str, repository: str, digest: str = "", tag: str = "", **changes: Any) -> dict[str, Any]:
    """One event; `changes` replace top-level fields."""
    target = {"mediaType": OCI_MANIFEST, "repository": repository, "digest": digest, "tag": tag, "size": 3, "length": 3}
    made = {
        "id": str(uuid.uuid4()),
        "timestamp": "2026-11-24T02:47:00.123456789Z",
        "action": action,
        "target": {key: value for key, value in target.items() if value},
        "request": {"id": "r1", "addr": "10.1.2.3:4711", "host": "x", "method": "GET", "useragent": "docker/28"},
        "actor": {"name": "alice"},
        "source": {"addr": "host:5000", "instanceID": str(uuid.uuid4())},
    }
    return made | changes


def envelope(*events: Any) -> bytes:
    return json.dumps({"events": list(events)}).encode()
