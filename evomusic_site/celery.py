"""The Celery application: one queue for rounds (the conductor), one for sound (the players)."""

from __future__ import annotations

import logging
import os
from typing import Any

from celery import Celery, Task
from celery.exceptions import Reject
from celery.signals import worker_init, worker_ready, worker_shutting_down

logger = logging.getLogger(__name__)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evomusic_site.settings")


class HandedBack(Task):
    """A task whose message goes back to its queue when the process is told to stop: another one takes it up."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from evolution import interruption

        try:
            return super().__call__(*args, **kwargs)
        except interruption.Interrupted:
            if self.request.is_eager:
                raise  # inside a command, which takes it as its own end
            logger.info("%s%s is handed back", self.name, args)
            raise Reject("this worker stops", requeue=True) from None


app = Celery("evomusic", task_cls=HandedBack)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["evolution", "listening", "laboratory"])


@worker_init.connect
def load_what_it_needs(**_: object) -> None:
    """Load models before the first task, so that nobody waits for that."""
    role = os.environ.get("EVOMUSIC_ROLE")
    if role == "player":
        from evolution import playing

        playing.warm_up()
    elif role == "conductor":
        from listening import profiles

        profiles.aligner()


@worker_ready.connect
def say_it_is_there(**_: object) -> None:
    """From now on this process counts as present."""
    from evolution import presence

    role = os.environ.get("EVOMUSIC_ROLE", "worker")
    presence.announce(role)
    if role == "conductor":
        app.send_task("listening.tasks.import_reference_listeners", queue="rounds")


@worker_shutting_down.connect
def stop_where_nothing_is_half_done(**_: object) -> None:
    """A conductor's rounds end between two steps; a player finishes what it plays."""
    from evolution import interruption

    interruption.request()
