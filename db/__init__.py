"""What is stored: tables, queries, migrations, and the one place that commits."""
