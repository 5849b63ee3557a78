"""Harbor's user objects."""

from marshmallow import fields, validate

from authsvc.core.api import Schema, Time

_SHORT = validate.Length(max=255)


class UserCreationSchema(Schema):
    username = fields.String(load_default="", validate=_SHORT)
    password = fields.String(load_default="", validate=validate.Length(max=1024), load_only=True)
    email = fields.String(load_default="", validate=_SHORT)
    realname = fields.String(load_default="", validate=_SHORT)
    comment = fields.String(load_default="", validate=_SHORT)


class UserProfileSchema(Schema):
    email = fields.String(validate=_SHORT)
    realname = fields.String(validate=_SHORT)
    comment = fields.String(validate=_SHORT)


class PasswordSchema(Schema):
    old_password = fields.String(load_default="", validate=validate.Length(max=1024))
    new_password = fields.String(load_default="", validate=validate.Length(max=1024))


class SysAdminFlagSchema(Schema):
    sysadmin_flag = fields.Boolean(required=True)


class DisabledSchema(Schema):
    disabled = fields.Boolean(required=True)


class OidcMetaSchema(Schema):
    """Where a user of a provider comes from. Harbor's `secret` is never shown: it is no more than a digest here."""

    id = fields.Integer()
    user_id = fields.Integer()
    subiss = fields.String(attribute="subject")
    creation_time = Time()
    update_time = Time(attribute="creation_time", dump_only=True)


class UserSchema(Schema):
    always = frozenset({"sysadmin_flag", "admin_role_in_auth"})

    user_id = fields.Integer(attribute="id")
    username = fields.String()
    email = fields.String()
    realname = fields.String()
    comment = fields.String()
    sysadmin_flag = fields.Boolean(attribute="sysadmin")
    admin_role_in_auth = fields.Boolean()
    disabled = fields.Boolean()
    oidc_user_meta = fields.Nested(OidcMetaSchema)
    creation_time = Time()
    update_time = Time()


class UserSearchSchema(Schema):
    user_id = fields.Integer(attribute="id")
    username = fields.String()
