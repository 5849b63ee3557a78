"""secrets robots and configuration"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "configuration",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_configuration")),
    )
    op.create_table(
        "robots",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("project_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("description", sa.String(length=1024), nullable=False),
        sa.Column("duration", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("expires_at", authsvc.core.db.UtcDateTime(), nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("secret_hash", sa.String(length=255), nullable=True),
        sa.Column("creator_type", sa.String(length=8), nullable=False),
        sa.Column("creator_ref", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("creation_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("update_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_robots")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_robots_project_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "secrets",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("owner_kind", sa.String(length=8), nullable=False),
        sa.Column("owner_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("scope", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("networks", sa.JSON(), nullable=False),
        sa.Column("creation_time", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("expires_at", authsvc.core.db.UtcDateTime(), nullable=True),
        sa.Column("revoked_at", authsvc.core.db.UtcDateTime(), nullable=True),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secrets")),
        sa.UniqueConstraint("digest", name=op.f("uq_secrets_digest")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("secrets", schema=None) as batch_op:
        batch_op.create_index("ix_secrets_owner", ["owner_kind", "owner_id", "kind"], unique=False)

    op.create_table(
        "robot_permissions",
        sa.Column("robot_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("place", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("resource", sa.String(length=32), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["robot_id"], ["robots.id"], name=op.f("fk_robot_permissions_robot_id_robots"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_robot_permissions")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("robot_permissions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_robot_permissions_robot_id"), ["robot_id"], unique=False)

    op.create_table(
        "secret_uses",
        sa.Column("secret_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_used_at", authsvc.core.db.UtcDateTime(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["secret_id"], ["secrets.id"], name=op.f("fk_secret_uses_secret_id_secrets"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("secret_id", name=op.f("pk_secret_uses")),
    )
    # People stay logged in: what clients keep moves over, with its ids.
    op.execute(
        "INSERT INTO secrets (id, kind, owner_kind, owner_id, digest, epoch, name, networks, creation_time, expires_at, revoked_at) "
        "SELECT id, 'refresh', 'user', user_id, digest, epoch, client, '[]', creation_time, expires_at, revoked_at FROM refresh_tokens"
    )
    op.execute("INSERT INTO secret_uses SELECT token_id, last_used_at, address FROM refresh_token_uses")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SELECT setval('secrets_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM secrets), false)")
    op.drop_table("refresh_token_uses")
    op.drop_table("refresh_tokens")


def downgrade() -> None:
    raise NotImplementedError("robots and access tokens have no place in the older schema: restore the backup instead")
