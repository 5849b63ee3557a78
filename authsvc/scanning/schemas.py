"""Harbor's objects of scans and what they find."""

from __future__ import annotations

from marshmallow import fields, validate

from authsvc.core.api import Schema, Time
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


class StatsSchema(Schema):
    """How far a scan of everything is."""

    always = frozenset({"total", "completed", "metrics", "ongoing"})

    total = fields.Integer()
    completed = fields.Integer()
    metrics = fields.Dict(keys=fields.String(), values=fields.Integer())
    ongoing = fields.Boolean()
    trigger = fields.String()
