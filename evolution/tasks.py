"""The players' doors (queue `gpu`). What they call is imported inside: the web process must not import torch."""

from __future__ import annotations

from typing import Any

from celery import shared_task


@shared_task
def play_evaluations(chunk: dict[str, Any]) -> None:
    from evolution import playing

    playing.play_evaluations(chunk)


@shared_task
def play_recordings(chunk: dict[str, Any]) -> None:
    from evolution import playing

    playing.play_recordings(chunk)


@shared_task
def hear_files(chunk: dict[str, Any]) -> None:
    from evolution import playing

    playing.hear_files(chunk)
