"""The conductor's door to the laboratory (queue `rounds`)."""

from __future__ import annotations

import uuid

from celery import shared_task


@shared_task
def record_candidate(candidate_id: str) -> None:
    from laboratory import hearing

    hearing.record(uuid.UUID(candidate_id))
