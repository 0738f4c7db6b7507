"""Every text that members read, by key and language."""

from bot.i18n.catalogue import Catalogue

__all__ = ["Catalogue"]
