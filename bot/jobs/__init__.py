"""The life of a job, from the press to the settled account. Knows no Discord and no HTTP."""
