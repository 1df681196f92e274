"""Runs migrations on the connection that `db.migrate` hands in; reads `db` only."""

from alembic import context
from db import models

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=models.Table.metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
