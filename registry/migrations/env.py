"""How Alembic finds the tables. The registry lends its open connection: a migration is one transaction."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

from registry import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    transactional_ddl=True,
    include_name=lambda name, kind, _: kind != "table" or name in SQLModel.metadata.tables,
)
assert tables.APPEND_ONLY
with context.begin_transaction():
    context.run_migrations()
