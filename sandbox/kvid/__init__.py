"""A local kvid: the image API's contract, read independently of the bot's client, and a painter behind it."""
