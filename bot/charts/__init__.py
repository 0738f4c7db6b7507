"""The two small charts, drawn outside the bot's own process; nothing here imports the plotting library."""

from bot.charts.values import ReportChart, ReportDay, UsageChart, UsageFacts, describe_usage

__all__ = ["ReportChart", "ReportDay", "UsageChart", "UsageFacts", "describe_usage"]
