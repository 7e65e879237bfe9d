"""What headers of models said, so that they are not fetched again."""

import sqlalchemy as sa
from alembic import op

from modelshelf.store.tables import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "facts",
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("repo", sa.String(length=200), nullable=False),
        sa.Column("commit", sa.String(length=64), nullable=False),
        sa.Column("file", sa.String(length=500), nullable=False),
        sa.Column("exact", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("read_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("source", "repo", "commit", "file", "exact"),
    )
    op.create_index("ix_facts_used_at", "facts", ["used_at"])


def downgrade() -> None:
    raise NotImplementedError("databases only move forward; restore a backup to go back")
