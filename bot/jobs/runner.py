"""Takes one job from wherever it stands to its end, as its owner.

Owns what a run is: become the owner, take step after step, stop where it can be continued. Which job is run,
and by which process, is the engine's; what a step does stands in `jobs.steps`; who may go to kvid is decided
in `jobs.line`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bot.jobs.ports import RunAgain
from bot.jobs.service import PLACES_SHOWN_MAX
from bot.jobs.states import ENDED
from bot.log import get_logger
from db.engine import is_outage
from db.enums import AT_KVID, JobState
from db.queries import jobs as queries

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.jobs.line import Line
    from bot.jobs.ports import Engine, Surface
    from bot.jobs.steps import Steps
    from db.engine import Database
    from db.values import Job

log = get_logger(__name__)

# Behind this no interaction can be answered any more.
ENDED_SHOWN_S = 900.0
STEP_FAILED_PAUSE_S = 30.0
OUTAGE_PAUSE_S = 5.0
# Jobs that have left kvid and wait for Discord hold no place there, but a task here.
DELIVERIES_MAX = 64


class Runner:
    """Started once by the app; `stop` parks what can be continued and waits for what cannot."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        engine: Engine,
        line: Line,
        steps: Steps,
        surface: Surface,
    ) -> None:
        self._database = database
        self._clock = clock
        self._engine = engine
        self._line = line
        self._steps = steps
        self._surface = surface

    async def start(self) -> None:
        """Take up what an earlier process left, then the jobs in line."""
        await self._show_ended()
        await self._engine.start(self.run)
        self._line.start()

    async def _show_ended(self) -> None:
        """Cards of jobs that ended shortly before the last stop may not have learned of it."""
        since = self._clock.now() - timedelta(seconds=ENDED_SHOWN_S)
        for job in await self._database.read(lambda c: queries.list_ended_since(c, since, PLACES_SHOWN_MAX)):
            self._surface.show_again(job)

    async def stop(self, *, grace_s: float) -> None:
        await self._line.stop()
        # Nothing between these two: an engine that still begins jobs would see each handed back at once.
        self._steps.stopping.set()
        cut_short = await self._engine.stop(grace_s=grace_s)
        log.info("runner.stopped", cut_short=cut_short)

    async def run(self, job_id: str) -> None:
        """Go on with the job until it ends, is back in line or belongs to somebody else.

        **Raises** RunAgain where it is to be continued later, nothing else. **Repeatable** yes: an earlier run
        of the same job, here or on another machine, loses it to this one.
        """
        if self._steps.stopping.is_set():
            raise RunAgain(0.0)
        job: Job | None = None
        try:
            job = await self._steps.adopt(job_id)
            if job is not None:
                await self._take_steps(job)
        except RunAgain:
            raise
        except Exception as error:
            if is_outage(error):
                log.warning("job.awaits_database", job=job_id, pause_s=OUTAGE_PAUSE_S, error=repr(error))
                raise RunAgain(OUTAGE_PAUSE_S) from error
            log.exception("job.step_failed", job=job_id, pause_s=STEP_FAILED_PAUSE_S)
            if job is None or await self._may_go_on(job, error):
                raise RunAgain(STEP_FAILED_PAUSE_S) from error
        finally:
            self._line.wake()

    async def _take_steps(self, job: Job) -> None:
        current = job
        while current.state not in ENDED:
            after = await self._steps.take(current)
            if self._steps.stopping.is_set() and (after is None or after.state not in ENDED):
                raise RunAgain(0.0)
            if after is None or after.state is JobState.RESERVED:
                return
            if current.state in AT_KVID and after.state not in AT_KVID:
                self._line.wake()
            current = after

    async def _may_go_on(self, job: Job, error: Exception) -> bool:
        """Whether the job is tried again; what fails each time is given up."""
        try:
            return await self._steps.count_failure(job, repr(error))
        except Exception:
            log.exception("job.failure_uncounted", job=job.id)
            return True
