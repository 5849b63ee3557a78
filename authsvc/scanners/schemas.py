"""Harbor's objects of scanners."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from authsvc.core.api import Schema, Time
from authsvc.core.sealing import MASK
from authsvc.scanners.models import Scanner
from authsvc.scanners.rules import SBOM, VULNERABILITY

_NAME, _TEXT, _ADDRESS, _SECRET = (validate.Length(max=longest) for longest in (255, 1024, 512, 4096))


class ScannerRequestSchema(Schema):
    """What is posted and put; Harbor calls the certificate's check by a name of its own."""

    name = fields.String(required=True, validate=_NAME)
    description = fields.String(load_default="", validate=_TEXT)
    url = fields.String(required=True, validate=_ADDRESS)
    auth = fields.String(load_default="", validate=validate.Length(max=32))
    access_credential = fields.String(load_default="", validate=_SECRET)
    skip_certVerify = fields.Boolean(load_default=False, attribute="skip_cert_verify")  # noqa: N815 - Harbor's name
    use_internal_addr = fields.Boolean(load_default=False)
    disabled = fields.Boolean(load_default=False)


class ScannerSettingsSchema(Schema):
    """What a scanner is tried with."""

    name = fields.String(required=True, validate=_NAME)
    url = fields.String(required=True, validate=_ADDRESS)
    auth = fields.String(load_default="", validate=validate.Length(max=32))
    access_credential = fields.String(load_default="", validate=_SECRET)
    skip_certVerify = fields.Boolean(load_default=False, attribute="skip_cert_verify")  # noqa: N815


class ScannerSchema(Schema):
    """A registered scanner; an empty object where there is none."""

    always = frozenset(
        {"description", "disabled", "is_default", "auth", "access_credential", "skip_certVerify", "use_internal_addr"}
    )

    uuid = fields.String()
    name = fields.String()
    description = fields.String()
    url = fields.String()
    disabled = fields.Boolean()
    is_default = fields.Boolean()
    auth = fields.String()
    access_credential = fields.String()
    skip_certVerify = fields.Boolean()  # noqa: N815
    use_internal_addr = fields.Boolean()
    create_time = Time()
    update_time = Time()
    adapter = fields.String()
    vendor = fields.String()
    version = fields.String()
    health = fields.String()
    capabilities = fields.Dict()


class ScannerNameSchema(Schema):
    """A scanner as reports name it."""

    name = fields.String()
    vendor = fields.String()
    version = fields.String()


class ScannerCapabilitySchema(Schema):
    always = frozenset({"type"})

    type = fields.String()
    consumes_mime_types = fields.List(fields.String())
    produces_mime_types = fields.List(fields.String())


class ScannerMetadataSchema(Schema):
    scanner = fields.Nested(ScannerNameSchema)
    capabilities = fields.List(fields.Nested(ScannerCapabilitySchema))
    properties = fields.Dict(keys=fields.String(), values=fields.String())


class IsDefaultSchema(Schema):
    is_default = fields.Boolean(load_default=False)


class ProjectScannerSchema(Schema):
    uuid = fields.String(required=True, validate=validate.Length(max=64))


def described(scanner: Scanner) -> dict[str, Any]:
    """A scanner as `ScannerSchema` takes it: of its credential only whether there is one, of itself what it said last."""
    said = scanner.said.get("scanner", {})
    types = {each["type"] for each in scanner.said.get("capabilities", ())}
    names = ("uuid", "name", "description", "url", "disabled", "is_default", "auth", "use_internal_addr", "update_time", "health")
    return {name: getattr(scanner, name) for name in names} | {
        "access_credential": MASK if scanner.sealed_credential else "",
        "skip_certVerify": scanner.skip_cert_verify,
        "create_time": scanner.creation_time,
        "adapter": said.get("name", ""),
        "vendor": said.get("vendor", ""),
        "version": said.get("version", ""),
        "capabilities": {"support_vulnerability": VULNERABILITY in types, "support_sbom": SBOM in types},
    }
