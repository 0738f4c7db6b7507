"""The account as a state machine beside a model of its own; `tests/db/test_ledger_machine.py` runs it.

From the model (`values`, `model`) and what is drawn (`draws`) over the comparison of both (`checks`) to what may
happen: `jobs`, then `grants`, then settings and time (`machine`).
"""

import pytest

# pytest does this by itself for modules named test_*.py only; without it a failure does not show the two sides.
pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in ("checks", "jobs", "grants", "machine")))
