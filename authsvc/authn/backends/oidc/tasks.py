"""Providers are asked about everybody on a schedule, so that whoever leaves a group loses the role, and whoever leaves all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog

from authsvc.authn.backends.oidc import standing
from authsvc.authn.backends.oidc.backend import Ended
from authsvc.core.db import reading, transaction, utcnow
from authsvc.core.errors import Unavailable
from authsvc.jobs.context import JobContext

log = structlog.get_logger(component="oidc")
_MOST_SILENT = 3  # answers that may be missing in a row until a provider is left alone for this time


def recheck(context: JobContext) -> dict[str, Any]:
    """Ask about everybody who was not asked about in the last half of `oidc_check_seconds`; a provider that does not answer
    changes nothing."""
    with transaction():
        standing.forget_nobodys()
    with reading():
        due = standing.due(utcnow() - timedelta(seconds=context.settings.oidc_check_seconds / 2))
    counts = {"read": 0, "gone": 0, "unanswered": 0}
    silent: dict[str, int] = {}
    for one in due:
        context.keep_going()
        if silent.get(one.source, 0) >= _MOST_SILENT:
            counts["unanswered"] += 1
            continue
        try:
            standing.ask(one)
            counts["read"] += 1
            silent[one.source] = 0
        except Ended:
            counts["gone"] += 1
        except Unavailable as error:
            counts["unanswered"] += 1
            silent[one.source] = silent.get(one.source, 0) + 1
            log.warning("account_not_checked", provider=one.source, user_id=one.user_id, reason=error.message)
    return counts
