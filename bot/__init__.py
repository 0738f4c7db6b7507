"""The service: all of kvid-bot that runs without a screen."""
