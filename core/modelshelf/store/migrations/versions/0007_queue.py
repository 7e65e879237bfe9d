"""A long queue stays quick; what was asked for together stays together; what nobody has seen yet is known."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.add_column(sa.Column("batch", sa.String(length=32), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("unseen", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.drop_index("job_status")
        batch_op.drop_index("job_created")
        batch_op.create_index("job_line", ["status", "priority", "position", "created", "id"])
        batch_op.create_index("job_created", ["created", "id"])
        batch_op.create_index("job_ended", ["ended"])
        batch_op.create_index("job_owner", ["owner"])
        batch_op.create_index("job_repo", ["repo", "commit"])
        batch_op.create_index("job_batch", ["batch"])
        batch_op.create_index("job_unseen", ["unseen", "status"])


def downgrade() -> None:
    raise NotImplementedError("databases only move forward; restore a backup to go back")
