"""Alembic's entry: runs the migrations on the connection that `db.migrate` hands over.

Must not open, commit or configure anything: the caller's transaction holds the whole change.
"""

from __future__ import annotations

from alembic import context

from db.models import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_name=context.config.attributes["include_name"],
    # Alembic believes that SQLite cannot undo DDL; with our own BEGIN it can.
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
