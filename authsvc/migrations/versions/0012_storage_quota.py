"""storage quota: the limit of each project, what it uses, and manifests among the blobs"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_FOREIGN = "('application/vnd.docker.image.rootfs.foreign.diff.tar', 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', " \
    "'application/vnd.oci.image.layer.nondistributable.v1.tar', 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', " \
    "'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd')"


def upgrade() -> None:
    with op.batch_alter_table("projects", schema=None) as batch_op:
        batch_op.add_column(sa.Column("storage_limit", _BIG, nullable=False, server_default="-1"))
    with op.batch_alter_table("projects", schema=None) as batch_op:
        batch_op.alter_column("storage_limit", existing_type=_BIG, existing_nullable=False, server_default=None)
    op.create_table(
        "storage_usage",
        sa.Column("project_id", _BIG, nullable=False),
        sa.Column("bytes", _BIG, nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_storage_usage_project_id_projects"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_storage_usage")),
    )
    with op.batch_alter_table("artifact_blobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("project_id", _BIG, nullable=True))
    _fill()
    with op.batch_alter_table("artifact_blobs", schema=None) as batch_op:
        batch_op.alter_column("project_id", existing_type=_BIG, nullable=False)
        batch_op.create_index("ix_artifact_blobs_blob_id_project_id", ["blob_id", "project_id"], unique=False)
        batch_op.drop_index("ix_artifact_blobs_blob_id")


def _fill() -> None:
    """The manifests of what is there, what is no blob of ours, and the sums."""
    op.execute("UPDATE artifact_blobs SET project_id = (SELECT project_id FROM artifacts WHERE id = artifact_blobs.artifact_id)")
    op.execute(
        "INSERT INTO blobs (digest, size, media_type) SELECT a.digest, MAX(a.own_size - COALESCE("
        "(SELECT SUM(b.size) FROM artifact_blobs ab JOIN blobs b ON b.id = ab.blob_id WHERE ab.artifact_id = a.id), 0)), "
        "MAX(a.manifest_media_type) FROM artifacts a WHERE a.digest NOT IN (SELECT digest FROM blobs) GROUP BY a.digest"
    )
    op.execute(f"DELETE FROM artifact_blobs WHERE blob_id IN (SELECT id FROM blobs WHERE media_type IN {_FOREIGN})")
    op.execute(
        "INSERT INTO artifact_blobs (artifact_id, blob_id, project_id) SELECT a.id, b.id, a.project_id FROM artifacts a "
        "JOIN blobs b ON b.digest = a.digest WHERE NOT EXISTS "
        "(SELECT 1 FROM artifact_blobs ab WHERE ab.artifact_id = a.id AND ab.blob_id = b.id)"
    )
    op.execute(
        "INSERT INTO storage_usage (project_id, bytes) SELECT needed.project_id, SUM(b.size) FROM "
        "(SELECT DISTINCT project_id, blob_id FROM artifact_blobs) needed JOIN blobs b ON b.id = needed.blob_id "
        "GROUP BY needed.project_id"
    )


def downgrade() -> None:
    with op.batch_alter_table("artifact_blobs", schema=None) as batch_op:
        batch_op.create_index("ix_artifact_blobs_blob_id", ["blob_id"], unique=False)
        batch_op.drop_index("ix_artifact_blobs_blob_id_project_id")
        batch_op.drop_column("project_id")
    op.drop_table("storage_usage")
    with op.batch_alter_table("projects", schema=None) as batch_op:
        batch_op.drop_column("storage_limit")
