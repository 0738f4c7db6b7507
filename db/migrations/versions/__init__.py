"""One module per step of the schema, frozen once released."""
