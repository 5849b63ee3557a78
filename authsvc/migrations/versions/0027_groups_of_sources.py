"""a group is one of a source: two directories or providers may have groups of one name"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_KINDS = {1: "ldap", 3: "oidc"}  # group_type -> kind of source


def upgrade() -> None:
    with op.batch_alter_table("user_groups") as groups:
        groups.add_column(sa.Column("source", sa.String(length=64), nullable=False, server_default="default"))
        groups.drop_constraint("uq_user_groups_group_type", type_="unique")
        groups.create_unique_constraint("uq_user_groups_group_type", ["group_type", "source", "key"])
    _part_them(op.get_bind())


def _part_them(connection: sa.Connection) -> None:
    """A group that people of one source are in is that one's. Where several are in it, it stays with `default` or the first, roles
    included, and the others come into their own at the next login: nobody has given that one a role yet."""
    groups = sa.table("user_groups", *map(sa.column, ("id", "group_type", "source")))
    identities = sa.table("user_identities", *map(sa.column, ("user_id", "kind", "source")))
    memberships = sa.table("group_memberships", *map(sa.column, ("user_id", "group_id")))
    sources = sa.table("identity_sources", *map(sa.column, ("kind", "name")))
    for group in connection.execute(sa.select(groups.c.id, groups.c.group_type)).all():
        kind = _KINDS.get(group.group_type, "")
        theirs = sa.select(identities.c.user_id, identities.c.source).where(identities.c.kind == kind)
        inside = theirs.join(memberships, memberships.c.user_id == identities.c.user_id)
        people = connection.execute(inside.where(memberships.c.group_id == group.id)).all()
        found = {person.source for person in people}
        if not found:
            found = set(connection.scalars(sa.select(sources.c.name).where(sources.c.kind == kind)))
        source = "default" if "default" in found or not found else min(found)
        connection.execute(groups.update().where(groups.c.id == group.id).values(source=source))
        strangers = [person.user_id for person in people if person.source != source]
        for user_id in strangers:
            gone = (memberships.c.group_id == group.id) & (memberships.c.user_id == user_id)
            connection.execute(memberships.delete().where(gone))


def downgrade() -> None:
    with op.batch_alter_table("user_groups") as groups:
        groups.drop_constraint("uq_user_groups_group_type", type_="unique")
        groups.create_unique_constraint("uq_user_groups_group_type", ["group_type", "key"])
        groups.drop_column("source")
