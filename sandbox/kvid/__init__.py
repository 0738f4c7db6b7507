"""A local kvid: the image API's contract, read independently of the bot's client, with a painter behind it."""
