"""What belongs to a listener: every table that hangs on one, how its rows are found, and what is not handed out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db.models import Case, CharField, F, Model, Q, Value, When
from django.db.models.expressions import Expression

from listening.models import Listener

_AT_ONCE = 200
"""Rows of one query: an evolved embedding is a large row."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Belonging:
    """A table of which a listener owns rows.

    label: `app.Model`. through: the ways that lead from a row to its listener. without: its columns that are kept
    back, because they are secret or tell of somebody else. more: what is told in their place.
    """

    label: str
    through: tuple[str, ...]
    without: tuple[str, ...] = ()
    more: dict[str, Callable[[Listener], Expression]] = field(default_factory=dict)

    @property
    def model(self) -> type[Model] | None:
        """The table; None where its app is not installed."""
        try:
            return apps.get_model(self.label)
        except LookupError:
            return None


def _own_candidate(listener: Listener) -> Expression:
    """What a track was evolved from, unless a stranger has it: then nothing."""
    return Case(When(candidate__generation__round__run=listener.run_id, then=F("candidate_id")))


def _side(listener: Listener) -> Expression:
    """Which of a duet's two it is: not who the other one is."""
    return Case(When(host=listener.pk, then=Value("host")), default=Value("guest"), output_field=CharField())


BELONGINGS = (
    Belonging("listening.User", ("listener",), without=("password",)),
    Belonging("listening.Listener", ("pk",)),
    Belonging("evolution.Run", ("listeners",)),
    Belonging("evolution.Round", ("run__listeners",)),
    Belonging("evolution.Generation", ("round__run__listeners",)),
    Belonging("evolution.Candidate", ("generation__round__run__listeners",)),
    Belonging("evolution.PlayerTime", ("run__listeners",)),
    Belonging("evolution.Recording", ("tracks__listener",)),
    Belonging("listening.TasteSnapshot", ("listener",)),
    Belonging("listening.Track", ("listener",), without=("candidate_id",), more={"own_candidate": _own_candidate}),
    Belonging("listening.Playlist", ("listener",)),
    Belonging("listening.PlaylistTrack", ("playlist__listener",)),
    Belonging("listening.Rating", ("listener",)),
    Belonging("listening.Listen", ("listener",)),
    Belonging("listening.TasteEdit", ("listener",)),
    Belonging("listening.TasteReport", ("listener",)),
    Belonging("listening.Duet", ("host", "guest"), without=("host_id", "guest_id"), more={"side": _side}),
    Belonging("listening.ShareLink", ("listener",)),
    Belonging("public_api.Token", ("user__listener",), without=("digest",)),
    Belonging("admin.LogEntry", ("user__listener",)),
)
"""Everything that is handed out, in the order in which it stands in the export."""

LEFT_OUT = {
    "evolution.WaitingChunk": "a message to the players, gone within seconds; what comes of it is in the export",
    "listening.User_groups": "what members of staff may do",
    "listening.User_user_permissions": "what members of staff may do",
}
"""Tables that hang on a listener and are not handed out, each with the reason."""


def rows(belonging: Belonging, listener: Listener) -> Iterator[Row]:
    """The listener's rows of a table, column by column, in the order of their keys; a few at a time are read."""
    model = belonging.model
    if model is None:
        return
    every = model._default_manager
    keys = list(every.filter(_whose(belonging, listener)).order_by("pk").values_list("pk", flat=True).distinct())
    own = [name for name in columns(belonging) if name not in belonging.more]
    more = {name: told(listener) for name, told in belonging.more.items()}
    for start in range(0, len(keys), _AT_ONCE):
        some = every.filter(pk__in=keys[start : start + _AT_ONCE]).order_by("pk")
        yield from list(some.values(*own, **more))


def columns(belonging: Belonging) -> list[str]:
    """The names of what is told of a row."""
    model = belonging.model
    if model is None:
        return []
    own = [column.attname for column in model._meta.concrete_fields if column.attname not in belonging.without]
    return [*own, *belonging.more]


def _whose(belonging: Belonging, listener: Listener) -> Q:
    whose = Q()
    for way in belonging.through:
        whose |= Q(**{way: listener.pk})
    return whose
