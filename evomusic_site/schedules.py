"""When the beat asks for something, on machines whose clock may be set back."""

from __future__ import annotations

from datetime import datetime

from celery.schedules import schedstate, schedule


class Steady(schedule):
    """Every so many seconds, also when by the clock the last time is yet to come: then it is time now.

    Celery's own waits until the clock has come there again: set back by an hour, nobody would look for abandoned
    rounds for an hour.
    """

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Whether it is time, and seconds until it is to be looked again."""
        last, now = self.maybe_make_aware(last_run_at), self.maybe_make_aware(self.now())
        return super().is_due(last if last <= now else now - self.run_every)
