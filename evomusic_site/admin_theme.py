"""How the admin looks: django-unfold in the colours of static/css/tokens.css (docs/decisions/0011-admin-theme.md)."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy


def _mark(_request: Any) -> str:
    return static("icons/mark.svg")


def _style(_request: Any) -> str:
    return static("css/admin.css")


def _panel(title: str, icon: str, name: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(name)}


def _table(title: str, icon: str, app: str, model: str) -> dict[str, Any]:
    """A link to a table, for who may look at it."""

    def may(request: Any) -> bool:
        return any(request.user.has_perm(f"{app}.{verb}_{model}") for verb in ("view", "change"))

    return {**_panel(title, icon, f"admin:{app}_{model}_changelist"), "permission": may}


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "EvoMusic rows",
    "SITE_HEADER": "EvoMusic",
    "SITE_SUBHEADER": "rows",
    "SITE_URL": reverse_lazy("laboratory:index"),
    "SITE_ICON": _mark,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _mark}],
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [_style],
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "base": {
            "50": "#f8f9f5",
            "100": "#eef1ea",
            "200": "#dde3da",
            "300": "#c9d1c8",
            "400": "#a3b3ae",
            "500": "#6d807f",
            "600": "#4b5c5c",
            "700": "#33464a",
            "800": "#1f2d31",
            "900": "#162124",
            "950": "#0f1719",
        },
        "primary": {
            "50": "#fbf4ee",
            "100": "#f3e3d8",
            "200": "#e8c9b4",
            "300": "#dda986",
            "400": "#e9b75a",
            "500": "#d9a13c",
            "600": "#9b3a1d",
            "700": "#8a3319",
            "800": "#6f2a16",
            "900": "#572214",
            "950": "#2b1109",
        },
    },
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "title": "Laboratory",
                "items": [
                    _panel("Experiments", "science", "laboratory:index"),
                    _panel("New experiment", "add", "laboratory:new"),
                    _panel("Compare", "compare_arrows", "laboratory:compare"),
                ],
            },
            {
                "title": "Search",
                "separator": True,
                "items": [
                    _table("Experiments", "labs", "evolution", "experiment"),
                    _table("Runs", "play_circle", "evolution", "run"),
                    _table("Rounds", "cycle", "evolution", "round"),
                    _table("Generations", "stacks", "evolution", "generation"),
                    _table("Candidates", "genetics", "evolution", "candidate"),
                    _table("Evaluations", "graphic_eq", "evolution", "evaluation"),
                    _table("Recordings", "album", "evolution", "recording"),
                ],
            },
            {
                "title": "Listening",
                "separator": True,
                "items": [
                    _table("Users", "person", "listening", "user"),
                    _table("Groups", "group", "auth", "group"),
                    _table("Listeners", "headphones", "listening", "listener"),
                    _table("Playlists", "queue_music", "listening", "playlist"),
                    _table("Tracks", "music_note", "listening", "track"),
                    _table("Ratings", "thumb_up", "listening", "rating"),
                    _table("Tastes", "favorite", "listening", "tastesnapshot"),
                ],
            },
        ],
    },
}
