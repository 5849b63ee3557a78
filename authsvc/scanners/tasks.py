"""Looking after scanners: whether each still answers, and what it says of itself."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from authsvc.core.db import db, reading, transaction
from authsvc.core.errors import Unavailable
from authsvc.jobs.context import JobContext
from authsvc.scanners import service
from authsvc.scanners.adapter import Adapter, Endpoint
from authsvc.scanners.models import Scanner

KIND = "SCANNER_HEALTH"


def check_health(context: JobContext) -> dict[str, Any]:
    """Ask each scanner, and note how it was found."""
    with reading():
        in_use = select(Scanner).where(~Scanner.disabled).order_by(Scanner.id)
        scanners = [(row.id, row.name, _endpoint(row)) for row in db.session.scalars(in_use)]
    unhealthy = 0
    for scanner_id, name, endpoint in scanners:
        context.keep_going()
        said = None
        try:
            if endpoint is None:
                raise Unavailable("its credential cannot be read")
            said = Adapter(endpoint, context.settings.outgoing_allow).metadata()
        except Unavailable as error:
            unhealthy += 1
            context.log(f"{name}: {error.message}")
        with transaction():
            service.note(scanner_id, said)
    return {"checked": len(scanners), "unhealthy": unhealthy}


def _endpoint(scanner: Scanner) -> Endpoint | None:
    try:
        return service.endpoint_of(scanner)
    except Unavailable:
        return None
