"""accessories"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# What attached artifacts call themselves -> Harbor's accessory type, as on the day of this migration.
_TYPES = {
    "application/vnd.dev.cosign.artifact.sig.v1+json": "signature.cosign",
    "application/vnd.dev.sigstore.bundle.v0.3+json": "signature.cosign",
    "application/vnd.cncf.notary.signature": "signature.notation",
    "application/vnd.goharbor.harbor.sbom.v1": "sbom.harbor",
}
_COSIGN_TAG = re.compile(r"sha256-([0-9a-f]{64})\.sig")


def upgrade() -> None:
    op.create_table(
        "accessories",
        sa.Column("artifact_id", _BIG, nullable=False),
        sa.Column("repository_id", _BIG, nullable=False),
        sa.Column("subject_digest", sa.String(length=135), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("id", _BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_id"], ["artifacts.id"], name=op.f("fk_accessories_artifact_id_artifacts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accessories")),
        sa.UniqueConstraint("artifact_id", name=op.f("uq_accessories_artifact_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("accessories", schema=None) as batch_op:
        batch_op.create_index("ix_accessories_subject", ["repository_id", "subject_digest"], unique=False)
    _fill()


def _fill() -> None:
    """Note what the index holds already."""
    artifacts = sa.table(
        "artifacts", *(sa.column(name) for name in ("id", "repository_id", "subject_digest", "artifact_type", "media_type"))
    )
    tags = sa.table("tags", *(sa.column(name) for name in ("artifact_id", "repository_id", "name")))
    accessories = sa.table(
        "accessories", *(sa.column(name) for name in ("artifact_id", "repository_id", "subject_digest", "type"))
    )
    connection, rows = op.get_bind(), {}
    for found in connection.execute(sa.select(artifacts).where(artifacts.c.subject_digest.is_not(None))):
        type_ = _TYPES.get(found.artifact_type) or _TYPES.get(found.media_type) or "subject.accessory"
        rows[found.id] = (found.repository_id, found.subject_digest, type_)
    for found in connection.execute(sa.select(tags).where(tags.c.name.like("sha256-%.sig"))):
        if match := _COSIGN_TAG.fullmatch(found.name):
            rows.setdefault(found.artifact_id, (found.repository_id, f"sha256:{match[1]}", "signature.cosign"))
    names = ("artifact_id", "repository_id", "subject_digest", "type")
    if rows:
        op.bulk_insert(accessories, [dict(zip(names, (id_, *values), strict=True)) for id_, values in rows.items()])


def downgrade() -> None:
    op.drop_table("accessories")
