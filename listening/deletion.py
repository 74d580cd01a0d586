"""Deletion that deletes: a person with all that hangs on them, and the music that nobody else has.

What is done twice or while something runs is fine: a round that loses its listener ends by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.files.storage import Storage
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from evolution import runs
from evolution.models import Candidate, Evaluation, Experiment, Recording, Round, Run
from listening import events
from listening.models import Listen, Listener, Playlist, Rating, TasteEdit, Track, User

logger = logging.getLogger(__name__)

MOST_A_NIGHT = 500
"""Guests that are pruned at once; the next night goes on."""
UNCLAIMED = timedelta(days=1)
"""How old a recording is that no track has before it goes: a round may be about to put it into a playlist."""
_AT_ONCE = 1000
_LOGINS = ("axes.AccessAttempt", "axes.AccessFailureLog", "axes.AccessLog")
"""Where logins are counted, by the name that was typed."""


def delete(user_ids: Iterable[int]) -> int:
    """Delete these users with everything that is theirs; gives how many were still there.

    Their rounds are stopped, their sockets closed, their sessions ended; recordings go that nobody else has.
    """
    wanted = set(user_ids)
    for listener in Listener.objects.filter(user__in=wanted).select_related("run__experiment"):
        _stop(listener)
    deleted = sum(_delete(user_id) for user_id in sorted(wanted))
    _end_sessions(wanted)  # now that nobody can begin another one
    return deleted


def prune_guests(*, idle: timedelta, most: int = MOST_A_NIGHT) -> int:
    """Delete guests of whom nothing was heard for so long; gives how many. No time at all: nobody is deleted."""
    if not idle:
        return 0
    moment = timezone.now() - idle
    found = _idle(moment).order_by("pk").values_list("user_id", flat=True)[:most]
    return delete([user_id for user_id in found if user_id is not None])


def sweep(*, most: int = 10 * _AT_ONCE) -> int:
    """Delete recordings that no track has and that were not made just now; gives how many.

    Such are left when somebody goes while theirs are made, and when staff hear a candidate.
    """
    old = Recording.objects.filter(created_at__lt=timezone.now() - UNCLAIMED)
    keys = list(_unused(old).order_by("pk").values_list("pk", flat=True)[:most])
    return sum(_delete_recordings(some) for some in _batches(keys))


def _stop(listener: Listener) -> None:
    """Let nothing more be made, and free the tables of most of what was, a part at a time."""
    runs.stop(listener.run)
    candidates = Candidate.objects.filter(generation__round__run=listener.run_id)
    while keys := list(candidates.values_list("pk", flat=True)[:_AT_ONCE]):
        Candidate.objects.only("pk").filter(pk__in=keys).delete()  # genomes are large


@transaction.atomic
def _delete(user_id: int) -> bool:
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        return False
    listener = Listener.objects.select_for_update().filter(user=user).first()  # a playlist may be being stored
    _forget_name(user, listener)
    if listener is None:
        user.delete()
        return True
    listener_id, run_id = listener.pk, listener.run_id  # deleting takes the keys out of the objects
    run = Run.objects.select_for_update().defer("searcher_state").get(pk=run_id)
    recordings = list(Track.objects.filter(listener=listener).values_list("recording_id", flat=True).distinct())
    user.delete()
    if not Listener.objects.filter(run=run_id).exists():
        run.delete()
    for some in _batches(recordings):
        _delete_recordings(some)
    transaction.on_commit(lambda: events.gone(listener_id))
    logger.info("user %d, listener %d and run %d were deleted", user_id, listener_id, run_id)
    return True


def _forget_name(user: User, listener: Listener | None) -> None:
    """Take the name out of the tables that hold it as a text."""
    name = user.get_username()
    Experiment.objects.filter(author=name).update(author="")
    for label in _LOGINS:
        if apps.is_installed(label.split(".")[0]):
            apps.get_model(label).objects.filter(username__iexact=name).delete()
    said_of = [(User, user.pk)] + ([(Listener, listener.pk)] if listener is not None else [])
    for model, key in said_of:
        kind = ContentType.objects.get_for_model(model)
        LogEntry.objects.filter(content_type=kind, object_id=str(key)).delete()


def _end_sessions(user_ids: set[int]) -> None:
    """A session says whose it is only within: each has to be looked into."""
    known = {str(user_id) for user_id in user_ids}
    theirs = [
        session.pk
        for session in Session.objects.order_by().iterator(chunk_size=_AT_ONCE)
        if session.get_decoded().get("_auth_user_id") in known
    ]
    for some in _batches(theirs):
        Session.objects.filter(pk__in=some).delete()


def _delete_recordings(keys: list[str]) -> int:
    """Delete those of these recordings that no track has any more, with what was heard of them; then the files."""
    with transaction.atomic():
        unused = _unused(Recording.objects.filter(pk__in=keys)).select_for_update()
        found = dict(unused.values_list("pk", "file"))
        evaluations = list(Recording.objects.filter(pk__in=found).values_list("evaluation", flat=True))
        Recording.objects.filter(pk__in=found).delete()
        used = Candidate.objects.filter(evaluation=OuterRef("pk"))
        Evaluation.objects.filter(~Exists(used), pk__in=evaluations, recording=None).delete()
        transaction.on_commit(lambda: _delete_files(found.values()))
    return len(found)


def _delete_files(names: Iterable[str]) -> None:
    """The rows are gone: a file that cannot be deleted now is a file that nobody can reach, and is said."""
    storage: Storage = Recording._meta.get_field("file").storage
    for name in names:
        if Recording.objects.filter(file=name).exists():  # made again meanwhile
            continue
        try:
            storage.delete(name)
        except OSError:
            logger.exception("%s could not be deleted: delete it by hand", name)


def _unused(recordings: QuerySet[Recording]) -> QuerySet[Recording]:
    return recordings.filter(~Exists(Track.objects.filter(recording=OuterRef("pk"))))


def _idle(moment: datetime) -> QuerySet[Listener]:
    """Guests who have neither come nor listened nor rated nor asked for anything since."""
    guests = Listener.objects.filter(is_guest=True, user__isnull=False, created_at__lt=moment)
    guests = guests.filter(Q(user__last_login=None) | Q(user__last_login__lt=moment))
    guests = guests.filter(user__is_staff=False)
    since: list[QuerySet[Any]] = [
        Rating.objects.filter(listener=OuterRef("pk"), stored_at__gte=moment),
        Listen.objects.filter(listener=OuterRef("pk"), stored_at__gte=moment),
        TasteEdit.objects.filter(listener=OuterRef("pk"), created_at__gte=moment),
        Playlist.objects.filter(listener=OuterRef("pk"), made_at__gte=moment),
        Round.objects.filter(run=OuterRef("run"), requested_at__gte=moment),
    ]
    for something in since:
        guests = guests.filter(~Exists(something))
    return guests


def _batches(keys: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]
