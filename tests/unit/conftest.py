"""discord.py is imported once here, because its own import warns."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # discord.py 2.7.1 imports audioop, which Python 3.11 and 3.12 call deprecated; nothing here speaks.
    warnings.simplefilter("ignore", DeprecationWarning)
    import discord  # noqa: F401 - for the import itself
