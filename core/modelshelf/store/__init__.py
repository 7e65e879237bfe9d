"""What the application remembers: SQLAlchemy tables, alembic migrations, one door to the database."""

from modelshelf.store.database import Store

__all__ = ["Store"]
