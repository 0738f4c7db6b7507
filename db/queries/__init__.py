"""Every statement the services run: synchronous functions that join the caller's transaction."""
