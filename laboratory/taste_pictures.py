"""The maps of listeners and songs as the panel shows them: what was drawn last, and the wish for new ones. No torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

from evolution import presence
from models_store.aligner.maps import METHODS

FOLDER = "tastes"
ABOUT = "about.json"
TASK = "laboratory.tasks.draw_tastes"
EXPIRY = 600  # seconds after which nobody waits for them any more

TITLES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
WORDS = {
    "pca": "The two directions in which they differ most. Distances mean the same everywhere.",
    "tsne": "Neighbours stay neighbours. How far two groups lie apart, and how large they are, says nothing.",
    "umap": "Neighbours stay neighbours, and groups that touch lie closer. Distances between groups say little.",
}


class UnreachableError(RuntimeError):
    """Nobody could be asked to draw; the message is a sentence for people."""


def folder() -> Path:
    """Where the panel's pictures are."""
    return Path(settings.MEDIA_ROOT, FOLDER)


def file(method: str) -> Path | None:
    """The picture by this method, if it was drawn."""
    path = folder() / f"{method}.png"
    return path if method in METHODS and path.is_file() else None


def shown() -> dict[str, Any]:
    """{"about": what about.json says, empty before anything was drawn, "pictures": [{"method", "title", "words"}]}."""
    try:
        about = json.loads((folder() / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        about = {}
    drawn = [method for method in METHODS if file(method) is not None]
    pictures = [{"method": one, "title": TITLES[one], "words": WORDS[one]} for one in drawn]
    return {"about": about if isinstance(about, dict) else {}, "pictures": pictures}


def ask(*, experiment: str, seed: int) -> str:
    """Have the pictures drawn by a conductor, the listeners of an experiment marked ("": of none).

    Gives a sentence for people. Asking again is harmless. Raises UnreachableError when the broker does not answer.
    """
    try:
        current_app.send_task(TASK, kwargs={"experiment": experiment, "seed": seed}, queue="rounds", expires=EXPIRY)
    except OperationalError as error:
        raise UnreachableError("They cannot be drawn now: the broker does not answer.") from error
    if not presence.count().get("conductor"):
        return "They wait: no conductor is up."
    return "They are being drawn, which takes about a minute. Load this page again then."
