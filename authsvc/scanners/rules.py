"""What scanners say, read with care, and what it comes to. Pure.

Source: Harbor's Pluggable Scanner API 1.2 and its severities. A scanner is a program of somebody else's that reads images of
anybody's: nothing that it says is taken for more than text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from authsvc.core.errors import Unavailable
from authsvc.core.text import is_storable

REPORT = "application/vnd.security.vulnerability.report; version=1.1"
NATIVE_REPORT = "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0"
REPORTS = (REPORT, NATIVE_REPORT)  # the ones that we can read, the better one first
VULNERABILITY, SBOM = "vulnerability", "sbom"  # types of capabilities, and Harbor's types of scans

# Harbor's severities, the worst last; scanners say Negligible for None.
UNKNOWN, NONE, LOW, MEDIUM, HIGH, CRITICAL = SEVERITIES = ("Unknown", "None", "Low", "Medium", "High", "Critical")
RANKS: Mapping[str, int] = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_NAMES = {severity.lower(): severity for severity in SEVERITIES} | {"negligible": NONE}

DATABASE_TIME = "harbor.scanner-adapter/vulnerability-database-updated-at"  # a property, by Harbor's name

SPAN = 1000  # of weights of one severity

MOST = 200_000  # findings of one report
_LONGEST_TEXT = 8_000
_MOST_LINKS = 50
_LONGEST_LINK = 2048


class Unintelligible(Unavailable):
    """A scanner says something that is not what the API knows."""


@dataclass(frozen=True, slots=True)
class Capability:
    """Something that a scanner does: `type` vulnerability or sbom, with artifacts of these media types, making such reports."""

    type: str
    consumes: tuple[str, ...]
    produces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a scanner says of itself. `scanner`: name, vendor and version."""

    scanner: Mapping[str, str]
    capabilities: tuple[Capability, ...]
    properties: Mapping[str, str]

    def consumes(self, media_type: str, type_: str = VULNERABILITY) -> bool:
        """Whether it looks at artifacts of that media type."""
        return any(media_type in each.consumes for each in self.capabilities if each.type == type_)

    @property
    def report(self) -> str:
        """The media type of the report to ask for; "" if there is none that we can read."""
        made = {_media_type(one) for each in self.capabilities if each.type == VULNERABILITY for one in each.produces}
        return next((known for known in REPORTS if _media_type(known) in made), "")

    def as_json(self) -> dict[str, Any]:
        """In the adapter API's own form."""
        capabilities = [
            {"type": each.type, "consumes_mime_types": [*each.consumes], "produces_mime_types": [*each.produces]}
            for each in self.capabilities
        ]
        return {"scanner": {**self.scanner}, "capabilities": capabilities, "properties": {**self.properties}}


@dataclass(frozen=True, slots=True)
class Found:
    """A vulnerability in a version of a package; `score_v3`: CVSS 3. `details`: links, CWE ids, vectors, what the vendor says."""

    cve_id: str
    package: str
    version: str
    fix_version: str = ""
    severity: str = UNKNOWN
    status: str = ""
    score_v3: float | None = None
    description: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def key(self, scanner_id: int) -> str:
        """By what it is known: two reports of one scanner that name it mean the same."""
        parts = (str(scanner_id), self.cve_id, self.package, self.version)
        return sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Report:
    """`scanner`: name, vendor and version of who made it."""

    generated_at: datetime
    scanner: Mapping[str, str]
    findings: Sequence[Found]


@dataclass(frozen=True, slots=True)
class Summary:
    """What findings come to; `counts` by severity."""

    severity: str
    total: int
    fixable: int
    counts: Mapping[str, int]


def accepted(header: str) -> str:
    """The kind of report to answer with, by Harbor's header `X-Accept-Vulnerabilities`; "" if it wants none that there is."""
    wanted = {_media_type(each) for each in header.split(",") if each.strip()}
    return next((known for known in REPORTS if not wanted or _media_type(known) in wanted), "")


def parse_metadata(said: Any) -> Metadata:
    """
    Raises:
        Unintelligible: it is no scanner of the API, or makes no reports that we can read.
    """
    given = _object(said, "metadata")
    capabilities = tuple(
        Capability(_text(each.get("type"), 32) or VULNERABILITY, _texts(each.get("consumes_mime_types")), _texts(made))
        for each in _objects(given.get("capabilities"))
        for made in [each.get("produces_mime_types")]
    )
    properties = {
        _text(name, 255): _text(value, 1024) for name, value in _object(given.get("properties") or {}, "properties").items()
    }
    found = Metadata(_scanner(given.get("scanner")), capabilities, properties)
    if not found.scanner.get("name"):
        raise Unintelligible("it does not say its name: is that the address of a scanner adapter?")
    if not found.report:
        raise Unintelligible(f"it makes no reports of a kind that is known here: {' or '.join(REPORTS)}")
    return found


def database_time(said: Mapping[str, Any]) -> datetime | None:
    """When the database of vulnerabilities was made by which a scanner goes, from its metadata; None: it does not say."""
    text = said.get("properties", {}).get(DATABASE_TIME, "")
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def parse_scan(said: Any) -> str:
    """The id by which a scanner calls a scan.

    Raises:
        Unintelligible
    """
    id_ = _text(_object(said, "answer").get("id"), 255)
    if not id_ or not id_.isascii() or not id_.isprintable() or set(id_) & set("/?#%\\ ") or id_ in (".", ".."):
        raise Unintelligible("it gives the scan no id that could be asked for")
    return id_


def parse_report(said: Any, now: datetime) -> Report:
    """A report of either kind; the two have the same form. Findings without a name are no findings, and of two with the same name
    in the same version of a package the worse one counts.

    Raises:
        Unintelligible
    """
    given = _object(said, "report")
    rows = given.get("vulnerabilities")
    if rows is not None and not isinstance(rows, list):
        raise Unintelligible("the vulnerabilities of its report are no list")
    if len(rows or ()) > MOST:
        raise Unintelligible(f"its report names {len(rows or ())} vulnerabilities, and {MOST} is the most that are taken")
    known: dict[tuple[str, str, str], Found] = {}
    for row in _objects(rows):
        found = _found(row)
        if not found.cve_id:
            continue
        at = (found.cve_id, found.package, found.version)
        if at not in known or RANKS[known[at].severity] < RANKS[found.severity]:
            known[at] = found
    return Report(_moment(given.get("generated_at"), now), _scanner(given.get("scanner")), tuple(known.values()))


def summary(findings: Iterable[Found]) -> Summary:
    """What a report comes to."""
    counted: Counter[str] = Counter()
    fixable = 0
    for found in findings:
        counted[found.severity] += 1
        fixable += bool(found.fix_version)
    return Summary(worst(counted), counted.total(), fixable, dict(counted))


def worst(severities: Iterable[str]) -> str:
    """The worst of some; None, as Harbor says, where there is nothing."""
    return max(severities, key=lambda severity: RANKS.get(severity, 0), default=NONE)


def weight(rank: int, tenths: int) -> int:
    """By which findings are in order: the severity first, then the CVSS score, in tenths."""
    return rank * SPAN + tenths


def severity_of(text: str) -> str:
    """A severity in Harbor's spelling; Unknown if it is none."""
    return _NAMES.get(text.lower(), UNKNOWN)


def _found(row: Mapping[str, Any]) -> Found:
    cvss = row.get("preferred_cvss")
    scores: Mapping[str, Any] = cvss if isinstance(cvss, dict) else {}
    details = {
        "links": [link for link in _texts(row.get("links"), _LONGEST_LINK) if _is_link(link)][:_MOST_LINKS],
        "cwe_ids": list(_texts(row.get("cwe_ids"), 64)[:_MOST_LINKS]),
        "score_v2": _score(scores.get("score_v2")),
        "vector_v2": _text(scores.get("vector_v2"), 255),
        "vector_v3": _text(scores.get("vector_v3"), 255),
        "vendor_attributes": _attributes(row.get("vendor_attributes")),
    }
    return Found(
        cve_id=_text(row.get("id"), 128),
        package=_text(row.get("package"), 255),
        version=_text(row.get("version"), 255),
        fix_version=_text(row.get("fix_version"), 255),
        severity=severity_of(_text(row.get("severity"), 32)),
        status=_text(row.get("status"), 64),
        score_v3=_score(scores.get("score_v3")),
        description=_text(row.get("description"), _LONGEST_TEXT),
        details={name: value for name, value in details.items() if value},
    )


def _attributes(said: Any) -> dict[str, Any]:
    """What the vendor says besides, if it is no more than a page."""
    try:
        return said if isinstance(said, dict) and len(str(said)) <= _LONGEST_TEXT and is_storable(said) else {}
    except RecursionError:
        return {}


def _is_link(text: str) -> bool:
    """Pages show it as one: an address of the web, and nothing that runs."""
    try:
        return urlsplit(text).scheme in ("http", "https") and bool(urlsplit(text).netloc)
    except ValueError:
        return False


def _score(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 10 else None


def _moment(value: Any, now: datetime) -> datetime:
    """When a report was made; now if it says nothing that could be, since others are compared with it."""
    try:
        found = datetime.fromisoformat(str(value))
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return min(found.astimezone(UTC), now) if found.year > 2000 else now
    except (ValueError, OverflowError):
        return now


def _scanner(said: Any) -> dict[str, str]:
    given = said if isinstance(said, dict) else {}
    return {name: _text(given.get(name), 128) for name in ("name", "vendor", "version")}


def _media_type(text: str) -> str:
    """Without blanks, which some write between a type and its version."""
    return text.replace(" ", "").lower()


def _object(said: Any, what: str) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise Unintelligible(f"its {what} is no JSON object")
    return said


def _objects(said: Any) -> list[dict[str, Any]]:
    return [each for each in said if isinstance(each, dict)] if isinstance(said, list) else []


def _texts(said: Any, longest: int = 255) -> tuple[str, ...]:
    return tuple(_text(each, longest) for each in said if isinstance(each, str)) if isinstance(said, list) else ()


def _text(said: Any, longest: int) -> str:
    """A text that can be stored; "" for what is none."""
    if not isinstance(said, str):
        return ""
    return said[:longest].replace("\0", "").encode("utf-8", "replace").decode()
