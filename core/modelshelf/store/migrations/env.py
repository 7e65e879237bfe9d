"""How alembic reaches the database: always through the connection that `Store` opened."""

from alembic import context

from modelshelf.store.tables import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
