"""The reconciler as a job."""

from typing import Any

from authsvc.artifacts import reconcile as reconciler
from authsvc.core.errors import Unavailable
from authsvc.distribution import stores
from authsvc.jobs.context import JobContext

INSIST = "forget"  # in the payload: whatever is gone is to be forgotten


def reconcile(context: JobContext) -> dict[str, Any]:
    """Compare index and registry.

    Raises:
        Implausible: so much is gone that nothing was forgotten.
        Unavailable: something was not answered, so the run is not the whole truth; what could be was mended.
    """
    storage = stores.storage()
    storage.clear_removed()
    insist = bool(context.payload.get(INSIST))
    report = reconciler.run(context.registry, stores.directory(storage), insist=insist, keep_going=context.keep_going)
    if report.problems:
        raise Unavailable(f"{len(report.problems)} repositories could not be read: {'; '.join(report.problems[:3])}")
    return report.as_dict()
