"""Downloads: an order that can be changed, limits, budgets, and which commits a branch led to."""

import sqlalchemy as sa
from alembic import op

from modelshelf.store.tables import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("job", schema=None) as batch_op:
        for name, kind in (
            ("position", sa.Double()),
            ("rate_limit", sa.Double()),
            ("copied", sa.BigInteger()),
            ("retries", sa.Integer()),
            ("fetched", sa.BigInteger()),
            ("seconds", sa.Double()),
        ):
            batch_op.add_column(sa.Column(name, kind, nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("until", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("held", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.create_index("job_created", ["created"], unique=False)
    op.create_table(
        "traffic",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("fetched", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day"),
    )
    op.create_table(
        "ref_move",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=True),
        sa.Column("repo", sa.String(length=200), nullable=False),
        sa.Column("ref", sa.String(length=200), nullable=False),
        sa.Column("before", sa.String(length=64), nullable=False),
        sa.Column("after", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ref_move_repo", "ref_move", ["repo", "ref", "id"])


def downgrade() -> None:
    raise NotImplementedError("databases only move forward; restore a backup to go back")
