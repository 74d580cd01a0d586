"""The conductor's door to the laboratory (queue `rounds`)."""

from __future__ import annotations

import uuid

from celery import shared_task


@shared_task
def record_candidate(candidate_id: str) -> None:
    from laboratory import hearing

    hearing.record(uuid.UUID(candidate_id))


@shared_task
def draw_tastes(experiment: str, seed: int) -> None:
    from evolution import locks
    from laboratory import taste_pictures, tastes
    from models_store.aligner.maps import METHODS

    with locks.claim("draw tastes") as mine:
        if not mine:
            return  # they are being drawn
        try:
            tastes.draw(tastes.scene(experiment=experiment, seed=seed), METHODS, seed=seed, out=taste_pictures.folder())
        except (ValueError, OSError) as error:
            tastes.fail(f"{error}.")
