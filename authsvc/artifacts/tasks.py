"""The reconciler as a job."""

from typing import Any

from authsvc.artifacts import reconcile as reconciler
from authsvc.core.errors import Unavailable
from authsvc.jobs.context import JobContext


def reconcile(context: JobContext) -> dict[str, Any]:
    """Compare index and registry.

    Raises:
        Unavailable: something could not be read, so the run is not the whole truth; what could be was mended.
    """
    report = reconciler.run(context.registry, keep_going=context.keep_going)
    if report.problems:
        raise Unavailable(f"{len(report.problems)} repositories could not be read: {'; '.join(report.problems[:3])}")
    return report.as_dict()
