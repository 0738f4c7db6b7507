"""/studio report and /studio export: what moderators see of their server, and take home as a table.

Stateless: the menu on the report says which days it shows next, so that it works after a restart.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands, ui
from discord.ext import commands

from bot.answers import defer
from bot.caps.report_values import ExportKind, ReportPeriod
from bot.charts import ReportChart, ReportDay
from bot.errors import AppError
from bot.other_versions import build_refusal
from cogs import _report_render
from cogs._components import ACCENT_DONE
from cogs._moderators import require_moderator
from cogs._windows import require_private

if TYPE_CHECKING:
    from bot.caps.report_values import ServerReport
    from bot.client import KvidBot
    from cogs._moderators import Moderator
    from cogs._render import Text

CHART_NAME = "studio-report.png"
REPORT_PREFIX = "report"
PERIOD_MENU = f"{REPORT_PREFIX}:period"

_PERIOD_CHOICES = [
    app_commands.Choice(name=name, value=period.value)
    for period, name in (
        (ReportPeriod.TODAY, "Today"),
        (ReportPeriod.DAYS_7, "Last 7 days"),
        (ReportPeriod.DAYS_30, "Last 30 days"),
        (ReportPeriod.THIS_MONTH, "This month"),
        (ReportPeriod.LAST_MONTH, "Last month"),
    )
]
_EXPORT_CHOICES = [
    app_commands.Choice(name="Ledger: every credit held, used, granted, given back", value="ledger"),
    app_commands.Choice(name="Audit log: every setting changed and every act", value="audit_log"),
]


class ReportCommands(commands.Cog):
    """The part of /studio that reads."""

    bot: KvidBot

    @app_commands.command(name="report", description="See how this server's pictures went and what they cost")
    @app_commands.describe(period="Which days, as this server counts them; the last 7 if you choose nothing")
    @app_commands.choices(period=_PERIOD_CHOICES)
    async def report(
        self, interaction: discord.Interaction[KvidBot], period: str = ReportPeriod.DAYS_7.value
    ) -> None:
        moderator = require_moderator(interaction)
        await defer(interaction, ephemeral=True, thinking=True)
        await self._show(interaction, moderator, _read_period(period))

    @app_commands.command(name="export", description="Take the ledger or the audit log home as a CSV file")
    @app_commands.describe(what="Which table", period="Which days; the last 30 if you choose nothing")
    @app_commands.choices(what=_EXPORT_CHOICES, period=_PERIOD_CHOICES)
    async def export(
        self,
        interaction: discord.Interaction[KvidBot],
        what: str,
        period: str = ReportPeriod.DAYS_30.value,
    ) -> None:
        moderator = require_moderator(interaction)
        await defer(interaction, ephemeral=True, thinking=True)
        exported = await self.bot.caps.reports.export(
            moderator.guild_id,
            moderator.user_id,
            _read_kind(what),
            _read_period(period),
            moderator.locale,
        )
        content = _report_render.export_text(self.bot.texts(interaction.locale), exported)
        container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=ACCENT_DONE)
        container.add_item(ui.TextDisplay(content))
        files = []
        if exported.rows:
            name = _report_render.export_name(exported)
            container.add_item(ui.File(f"attachment://{name}"))
            files.append(discord.File(io.BytesIO(exported.data), name))
        await interaction.edit_original_response(view=_finish(container), attachments=files)

    async def choose_period(
        self, interaction: discord.Interaction[Any], rest: str, values: list[str]
    ) -> None:
        """Other days were chosen on the report."""
        moderator = require_moderator(interaction)
        require_private(interaction)
        chosen = values[0] if values else ""
        if f"{REPORT_PREFIX}:{rest}" != PERIOD_MENU or chosen not in set(ReportPeriod):
            raise build_refusal(REPORT_PREFIX)
        period = ReportPeriod(chosen)
        await defer(interaction)
        await self._show(interaction, moderator, period)

    async def _show(
        self, interaction: discord.Interaction[Any], moderator: Moderator, period: ReportPeriod
    ) -> None:
        report = await self.bot.caps.reports.report_server(moderator.guild_id, period, moderator.locale)
        picture = await self._draw(report)
        view = report_layout(self.bot.texts(interaction.locale), report, chart=picture is not None)
        files = [discord.File(io.BytesIO(picture), CHART_NAME)] if picture is not None else []
        await interaction.edit_original_response(view=view, attachments=files)

    async def _draw(self, report: ServerReport) -> bytes | None:
        if not _report_render.has_chart(report):
            return None
        days = [
            ReportDay(
                day=day.day,
                delivered=day.delivered,
                failed=day.failed,
                refused=day.refused,
                credits=day.used_credits,
            )
            for day in report.days
        ]
        return await self.bot.painter.draw(ReportChart(days=days))


def report_layout(text: Text, report: ServerReport, *, chart: bool) -> ui.LayoutView:
    """The report; with `chart` its picture is attached as `CHART_NAME`."""
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=ACCENT_DONE)
    container.add_item(ui.TextDisplay(_report_render.heading_text(text, report)))
    container.add_item(_period_menu(text, report.period))
    for summary in _report_render.summary_texts(text, report):
        container.add_item(ui.TextDisplay(summary))
    if chart:
        gallery: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
        gallery.add_item(
            media=f"attachment://{CHART_NAME}", description=_report_render.chart_alt(text, report)
        )
        container.add_item(ui.TextDisplay(text("report.chart")))
        container.add_item(gallery)
    for detail in _report_render.detail_texts(text, report):
        container.add_item(ui.TextDisplay(detail))
    return _finish(container)


def _period_menu(text: Text, shown: ReportPeriod) -> ui.ActionRow[ui.LayoutView]:
    menu: ui.Select[ui.LayoutView] = ui.Select(
        custom_id=PERIOD_MENU,
        options=[
            discord.SelectOption(label=text(key), value=period.value, default=period is shown)
            for period, key in _report_render.PERIODS.items()
        ],
    )
    row: ui.ActionRow[ui.LayoutView] = ui.ActionRow()
    row.add_item(menu)
    return row


def _finish(container: ui.Container[ui.LayoutView]) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    view.add_item(container)
    # Finished before it is sent: its menu is answered by its custom_id, also after a restart.
    view.stop()
    return view


def _read_period(value: str) -> ReportPeriod:
    """**Raises** AppError for what no menu offers."""
    if value not in {one.value for one in ReportPeriod}:
        raise AppError("input.value", option="period")
    return ReportPeriod(value)


def _read_kind(value: str) -> ExportKind:
    """**Raises** AppError for what no menu offers."""
    if value not in {one.value for one in ExportKind}:
        raise AppError("input.value", option="what")
    return ExportKind(value)
