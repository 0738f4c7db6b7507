"""Alembic's folder: run through `db.migrate`, never by a configuration file."""
