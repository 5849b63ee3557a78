"""Harbor's LDAP objects, and the steps of a trace."""

from marshmallow import fields, validate

from authsvc.core.api import Schema, StrictSchema

_SHORT = validate.Length(max=1024)


class LdapConfSchema(Schema):
    """What to try; what is left out is taken from the stored directory."""

    ldap_url = fields.String(validate=_SHORT)
    ldap_search_dn = fields.String(validate=_SHORT)
    ldap_search_password = fields.String(validate=_SHORT, load_only=True)
    ldap_base_dn = fields.String(validate=_SHORT)
    ldap_filter = fields.String(validate=_SHORT)
    ldap_uid = fields.String(validate=_SHORT)
    ldap_scope = fields.Integer()
    ldap_verify_cert = fields.Boolean()


class LdapPingResultSchema(Schema):
    always = frozenset({"success"})

    success = fields.Boolean()
    message = fields.String()


class LdapUserSchema(Schema):
    username = fields.String()
    realname = fields.String()
    email = fields.String()


class LdapImportSchema(Schema):
    ldap_uid_list = fields.List(fields.String(validate=_SHORT), required=True, validate=validate.Length(1, 1000))


class LdapFailedImportSchema(Schema):
    uid = fields.String()
    error = fields.String()


class LdapGroupSchema(Schema):
    group_name = fields.String(attribute="name")
    group_type = fields.Integer(attribute="type")
    ldap_group_dn = fields.String(attribute="dn")


class TraceRequestSchema(StrictSchema):
    source = fields.String(load_default="default", validate=_SHORT)
    username = fields.String(load_default="", validate=_SHORT)
    password = fields.String(load_default="", validate=_SHORT, load_only=True)


class StepSchema(Schema):
    always = frozenset({"ok", "milliseconds"})

    number = fields.Integer()
    name = fields.String()
    ok = fields.Boolean(allow_none=True, metadata={"description": "null: not reached, or nothing to check"})
    detail = fields.String()
    hint = fields.String()
    milliseconds = fields.Float()


class DirectorySchema(StrictSchema):
    always = frozenset({"enabled", "position"})

    name = fields.String(dump_only=True)
    enabled = fields.Boolean(load_default=True)
    position = fields.Integer(load_default=0)
    settings = fields.Dict(
        keys=fields.String(validate=_SHORT),
        required=True,
        metadata={
            "description": "Harbor's ldap_* items, and ldap_ca, ldap_starttls, ldap_nested_groups; passwords are never shown"
        },
    )
