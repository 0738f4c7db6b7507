"""The tables. Every table module is imported here, so that the metadata is complete."""

from db.models.base import metadata
from db.models.credits import BALANCE, TRANSFER, BalanceRow, TransferRow
from db.models.jobs import JOB, JOB_EVENT, JobEventRow, JobRow
from db.models.system import COMMAND_SYNC, CommandSyncRow

__all__ = [
    "BALANCE",
    "COMMAND_SYNC",
    "JOB",
    "JOB_EVENT",
    "TRANSFER",
    "BalanceRow",
    "CommandSyncRow",
    "JobEventRow",
    "JobRow",
    "TransferRow",
    "metadata",
]
