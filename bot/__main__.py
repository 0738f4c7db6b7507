"""`python -m bot` is `kvid-bot`."""

import sys

from bot.cli import main

sys.exit(main())
