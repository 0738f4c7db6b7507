"""Every text that members read, by key and language."""

from bot.i18n.catalogue import Catalogue, write_number

__all__ = ["Catalogue", "write_number"]
