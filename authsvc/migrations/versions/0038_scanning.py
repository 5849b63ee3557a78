"""scanners, and what they find"""

import sqlalchemy as sa
from alembic import op

import authsvc.core.db

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = authsvc.core.db.UtcDateTime()
    op.create_table(
        "scanners",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=1024), nullable=False),
        sa.Column("url", sa.String(length=512), nullable=False),
        sa.Column("auth", sa.String(length=32), nullable=False),
        sa.Column("sealed_credential", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("skip_cert_verify", sa.Boolean(), nullable=False),
        sa.Column("use_internal_addr", sa.Boolean(), nullable=False),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.Column("health", sa.String(length=16), nullable=False),
        sa.Column("creation_time", moment, nullable=False),
        sa.Column("update_time", moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scanners")),
        sa.UniqueConstraint("uuid", name=op.f("uq_scanners_uuid")),
        sa.UniqueConstraint("name", name=op.f("uq_scanners_name")),
        sa.UniqueConstraint("url", name=op.f("uq_scanners_url")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "project_scanners",
        sa.Column("project_id", number, nullable=False),
        sa.Column("scanner_id", number, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_project_scanners_project_id_projects"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["scanner_id"], ["scanners.id"], name=op.f("fk_project_scanners_scanner_id_scanners"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_project_scanners")),
    )
    op.create_index(op.f("ix_project_scanners_scanner_id"), "project_scanners", ["scanner_id"])
    op.create_table(
        "scan_reports",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("artifact_id", number, nullable=False),
        sa.Column("scanner_id", number, nullable=False),
        sa.Column("project_id", number, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("task_id", number, nullable=False),
        sa.Column("generated_at", moment, nullable=True),
        sa.Column("started_at", moment, nullable=True),
        sa.Column("ended_at", moment, nullable=True),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("critical", number, nullable=False),
        sa.Column("high", number, nullable=False),
        sa.Column("medium", number, nullable=False),
        sa.Column("low", number, nullable=False),
        sa.Column("none", number, nullable=False),
        sa.Column("unknown", number, nullable=False),
        sa.Column("total", number, nullable=False),
        sa.Column("fixable", number, nullable=False),
        sa.Column("scanned_by", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_id"], ["artifacts.id"], name=op.f("fk_scan_reports_artifact_id_artifacts"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["scanner_id"], ["scanners.id"], name=op.f("fk_scan_reports_scanner_id_scanners"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scan_reports")),
        sa.UniqueConstraint("artifact_id", "scanner_id", "kind", name=op.f("uq_scan_reports_artifact_id")),
        sa.UniqueConstraint("uuid", name=op.f("uq_scan_reports_uuid")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_scan_reports_project_id"), "scan_reports", ["project_id"])
    op.create_index(op.f("ix_scan_reports_scanner_id"), "scan_reports", ["scanner_id"])
    op.create_index("ix_scan_reports_worst", "scan_reports", ["critical", "high", "medium", "id"])
    op.create_table(
        "vulnerabilities",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("scanner_id", number, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("cve_id", sa.String(length=128), nullable=False),
        sa.Column("package", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=False),
        sa.Column("fix_version", sa.String(length=255), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("rank", number, nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("score_v3", number, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("first_seen_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["scanner_id"], ["scanners.id"], name=op.f("fk_vulnerabilities_scanner_id_scanners"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vulnerabilities")),
        sa.UniqueConstraint("key", name=op.f("uq_vulnerabilities_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_vulnerabilities_cve_id"), "vulnerabilities", ["cve_id"])
    op.create_index(op.f("ix_vulnerabilities_package"), "vulnerabilities", ["package"])
    op.create_index(op.f("ix_vulnerabilities_scanner_id"), "vulnerabilities", ["scanner_id"])
    op.create_index("ix_vulnerabilities_rank", "vulnerabilities", ["rank", "score_v3", "id"])
    op.create_table(
        "findings",
        sa.Column("report_id", number, nullable=False),
        sa.Column("vulnerability_id", number, nullable=False),
        sa.Column("project_id", number, nullable=False),
        sa.Column("weight", number, nullable=False),
        sa.ForeignKeyConstraint(
            ["report_id"], ["scan_reports.id"], name=op.f("fk_findings_report_id_scan_reports"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["vulnerability_id"],
            ["vulnerabilities.id"],
            name=op.f("fk_findings_vulnerability_id_vulnerabilities"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("report_id", "vulnerability_id", name=op.f("pk_findings")),
    )
    op.create_index("ix_findings_project_id", "findings", ["project_id", "weight", "vulnerability_id", "report_id"])
    op.create_index("ix_findings_weight", "findings", ["weight", "vulnerability_id", "report_id"])
    op.create_index("ix_findings_vulnerability_id", "findings", ["vulnerability_id", "report_id"])


def downgrade() -> None:
    for table in ("findings", "vulnerabilities", "scan_reports", "project_scanners", "scanners"):
        op.drop_table(table)
