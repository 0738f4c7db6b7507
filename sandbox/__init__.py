"""A local kvid and a local Discord to develop and test against. Imports nothing of the bot, on purpose."""
