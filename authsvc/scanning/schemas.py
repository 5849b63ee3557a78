"""Harbor's objects of scanners."""

from marshmallow import fields

from authsvc.core.api import Schema


class ScannerSchema(Schema):
    """A registered scanner; an empty object where there is none."""

    uuid = fields.String()
    name = fields.String()
    url = fields.String()
