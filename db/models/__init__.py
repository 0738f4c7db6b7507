"""The tables. Every table module is imported here, so that the metadata is complete."""

from db.models.base import metadata
from db.models.credits import (
    BALANCE,
    CREDIT_GRANT,
    ROLE_GRANT,
    TRANSFER,
    TRANSFER_PART,
    BalanceRow,
    CreditGrantRow,
    RoleGrantRow,
    TransferPartRow,
    TransferRow,
)
from db.models.gate import KVID_GATE, SERVER_TURN, TIMER, KvidGateRow, ServerTurnRow, TimerRow
from db.models.jobs import JOB, JOB_EVENT, JobEventRow, JobRow
from db.models.servers import AUDIT_ENTRY, MEMBERSHIP, SERVER, AuditEntryRow, MembershipRow, ServerRow
from db.models.system import COMMAND_SYNC, CommandSyncRow

__all__ = [
    "AUDIT_ENTRY",
    "BALANCE",
    "COMMAND_SYNC",
    "CREDIT_GRANT",
    "JOB",
    "JOB_EVENT",
    "KVID_GATE",
    "MEMBERSHIP",
    "ROLE_GRANT",
    "SERVER",
    "SERVER_TURN",
    "TIMER",
    "TRANSFER",
    "TRANSFER_PART",
    "AuditEntryRow",
    "BalanceRow",
    "CommandSyncRow",
    "CreditGrantRow",
    "JobEventRow",
    "JobRow",
    "KvidGateRow",
    "MembershipRow",
    "RoleGrantRow",
    "ServerRow",
    "ServerTurnRow",
    "TimerRow",
    "TransferPartRow",
    "TransferRow",
    "metadata",
]
