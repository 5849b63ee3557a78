"""Whether an image may be pulled with what is known of it: Harbor's "prevent vulnerable images from running", and what a project
says besides. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from authsvc.scanners import rules

_SHOWN = 3  # vulnerabilities that a refusal names


@dataclass(frozen=True, slots=True)
class Policy:
    """What a project's metadata says: `rank` (`rules.RANKS`) is the lowest severity that is refused; `only_fixable`: what nobody
    has fixed yet is not; `grace`: nor what was found first that lately; `unscanned`: what nobody has looked at may be pulled."""

    rank: int
    only_fixable: bool = False
    grace: timedelta = timedelta()
    unscanned: bool = False

    @property
    def sentence(self) -> str:
        """Harbor's name for it, which clients print."""
        severity = rules.SEVERITIES[self.rank]
        return f"""'Prevent images with vulnerability severity of "{severity}" or higher from running.'"""


class Known(Protocol):
    """A vulnerability in an image; `first_seen_at`: when a scanner named it first."""

    @property
    def cve_id(self) -> str: ...
    @property
    def package(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def fix_version(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def first_seen_at(self) -> datetime: ...


def policy_of(metadata: Mapping[str, str]) -> Policy | None:
    """What a project asks for; None: nothing."""
    if metadata.get("prevent_vul") != "true":
        return None
    return Policy(
        rules.RANKS[rules.severity_of(metadata.get("severity", "low"))],
        only_fixable=metadata.get("prevent_vul_only_fixable") == "true",
        grace=timedelta(days=int(metadata.get("prevent_vul_grace_days", "0"))),
        unscanned=metadata.get("prevent_vul_unscanned") == "allow",
    )


def refused(policy: Policy, found: Iterable[Known], tolerated: Collection[str], now: datetime) -> list[Known]:
    """Of what was found at this severity or higher, that for which the image may not be pulled; in the same order."""
    return [
        one
        for one in found
        if one.cve_id not in tolerated
        and not (policy.only_fixable and not one.fix_version)
        and one.first_seen_at <= now - policy.grace
    ]


def because_of(policy: Policy, found: Collection[Known]) -> str:
    """Harbor's sentence, and the worst by name."""
    names = {one.cve_id for one in found}
    worst = "; ".join(_named(one) for one in list(found)[:_SHOWN])
    return (
        f"current image with {len(names)} vulnerabilities cannot be pulled due to configured policy in {policy.sentence} "
        "To continue with pull, please contact your project administrator to exempt matched vulnerabilities through configuring "
        f"the CVE allowlist. The worst: {worst}"
    )


def unknown(policy: Policy, status: str) -> str:
    """Harbor's sentence for what has no verdict yet; `status`: of its scan, "" if there was none."""
    what = f'"{status}" status of' if status else ""
    with_it = f"with {what}" if what else "without"
    return (
        f"current image {with_it} vulnerability scanning cannot be pulled due to configured policy in {policy.sentence} "
        "To continue with pull, please contact your project administrator for help."
    )


def _named(one: Known) -> str:
    fix = f"fixed in {one.fix_version}" if one.fix_version else "not fixed"
    return f"{one.cve_id} ({one.severity}, {one.package} {one.version}, {fix})"
