"""Harbor's icon object."""

from marshmallow import fields

from authsvc.core.api import Schema


class IconSchema(Schema):
    content_type = fields.String(data_key="content-type")
    content = fields.String(metadata={"description": "base64"})
