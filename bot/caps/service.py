"""Everything about caps in one hand, as the app builds it and the surface uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.caps.admission import Admission
from bot.caps.gifts import Gifts
from bot.caps.grants import Grants
from bot.caps.histories import Histories
from bot.caps.members import Members
from bot.caps.pictures import Pictures
from bot.caps.policies import Policies
from bot.caps.reports import Reports

if TYPE_CHECKING:
    from bot.caps.values import OperatorLimits
    from bot.clock import Clock
    from db.engine import Database


class Caps:
    def __init__(self, database: Database, clock: Clock, operator: OperatorLimits) -> None:
        self.policies = Policies(database, clock)
        self.admission = Admission(self.policies, operator)
        self.members = Members(database, clock, self.policies)
        self.grants = Grants(database, clock, self.policies)
        self.gifts = Gifts(database, clock, self.policies, self.admission)
        self.pictures = Pictures(database, clock, self.policies)
        self.histories = Histories(database, clock, self.policies, operator)
        self.reports = Reports(database, clock, self.policies, self.admission, self.pictures)
