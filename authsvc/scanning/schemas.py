"""Harbor's objects of scans and what they find."""

from __future__ import annotations

from marshmallow import EXCLUDE, fields, validate

from authsvc.core.api import Bounded, ListArguments, Schema, Time
from authsvc.scanners.rules import SBOM, VULNERABILITY
from authsvc.scanners.schemas import ScannerNameSchema


class ScanTypeSchema(Schema):
    scan_type = fields.String(load_default=VULNERABILITY, validate=validate.OneOf([VULNERABILITY, SBOM]))


class VulnerabilitySummarySchema(Schema):
    always = frozenset({"total", "fixable", "summary"})

    total = fields.Integer()
    fixable = fields.Integer()
    summary = fields.Dict(keys=fields.String(), values=fields.Integer())


class ReportSummarySchema(Schema):
    """Harbor's `NativeReportSummary`."""

    report_id = fields.String()
    scan_status = fields.String()
    severity = fields.String()
    duration = fields.Integer()
    summary = fields.Nested(VulnerabilitySummarySchema)
    start_time = Time()
    end_time = Time()
    complete_percent = fields.Integer()
    scanner = fields.Nested(ScannerNameSchema)


class SummaryArguments(Bounded):
    class Meta:
        unknown = EXCLUDE

    with_dangerous_cve = fields.Boolean(load_default=False)
    with_dangerous_artifact = fields.Boolean(load_default=False)


class DangerousCveSchema(Schema):
    cve_id = fields.String()
    severity = fields.String()
    cvss_score_v3 = fields.Float()
    desc = fields.String()
    package = fields.String()
    version = fields.String()


class DangerousArtifactSchema(Schema):
    always = frozenset({"critical_cnt", "high_cnt", "medium_cnt"})

    project_id = fields.Integer()
    repository_name = fields.String()
    digest = fields.String()
    critical_cnt = fields.Integer()
    high_cnt = fields.Integer()
    medium_cnt = fields.Integer()


class SecuritySummarySchema(Schema):
    always = frozenset(
        {"critical_cnt", "high_cnt", "medium_cnt", "low_cnt", "none_cnt", "unknown_cnt", "fixable_cnt"}
        | {"total_vuls", "scanned_cnt", "total_artifact"}
    )

    critical_cnt = fields.Integer()
    high_cnt = fields.Integer()
    medium_cnt = fields.Integer()
    low_cnt = fields.Integer()
    none_cnt = fields.Integer()
    unknown_cnt = fields.Integer()
    total_vuls = fields.Integer()
    fixable_cnt = fields.Integer()
    scanned_cnt = fields.Integer()
    total_artifact = fields.Integer()
    dangerous_cves = fields.List(fields.Nested(DangerousCveSchema))
    dangerous_artifacts = fields.List(fields.Nested(DangerousArtifactSchema))


class VulnerabilityArguments(ListArguments):
    """The worst come first, always."""

    q = fields.String(
        load_default="",
        validate=validate.Length(max=2048),
        metadata={
            "description": "by cve_id, severity, cvss_score_v3 (a range), project_id, repository_name, tag, digest, package"
        },
    )
    tune_count = fields.Boolean(load_default=False, metadata={"description": "-1 as the count if there are more than 1,000"})
    with_tag = fields.Boolean(load_default=False)


class VulnerabilityItemSchema(Schema):
    project_id = fields.Integer()
    repository_name = fields.String()
    digest = fields.String()
    tags = fields.List(fields.String())
    cve_id = fields.String()
    severity = fields.String()
    status = fields.String()
    cvss_v3_score = fields.Float()
    package = fields.String()
    version = fields.String()
    fixed_version = fields.String()
    desc = fields.String()
    links = fields.List(fields.String())


class StatsSchema(Schema):
    """How far a scan of everything is."""

    always = frozenset({"total", "completed", "metrics", "ongoing"})

    total = fields.Integer()
    completed = fields.Integer()
    metrics = fields.Dict(keys=fields.String(), values=fields.Integer())
    ongoing = fields.Boolean()
    trigger = fields.String()
