"""What files of other programs hold, and which of them the library leads to or made one with another."""

import sqlalchemy as sa
from alembic import op

from modelshelf.store.tables import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "found_file",
        sa.Column("path", sa.String(length=1000), nullable=False),
        sa.Column("device", sa.String(length=20), nullable=False),
        sa.Column("inode", sa.String(length=20), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("led", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("given", UtcDateTime(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("path"),
    )
    op.create_index("ix_found_file_sha256", "found_file", ["sha256"])


def downgrade() -> None:
    raise NotImplementedError("databases only move forward; restore a backup to go back")
