"""The Celery application: one queue for rounds (the conductor), one for sound (the players)."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import worker_init, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evomusic_site.settings")

app = Celery("evomusic")
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
