"""Whether anything was lost: each check gives a sentence for every violation that it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.chaos import trials
from benchmarks.chaos.guests import Listening, contents
from benchmarks.chaos.kills import Kill
from benchmarks.chaos.service import Service

SOON = 10.0
"""Seconds in which a killed player's chunk must run again."""

History = Mapping[str, list[tuple[Any, ...]]]


def everything_ended(service: Service) -> list[str]:
    """Every run and round came to its end, and nothing waits or is held any more."""
    said = [
        f"run {run} (seed {seed}) is {status}: {message}"
        for run, (seed, status, message) in trials.statuses(service).items()
        if status != "done"
    ]
    rounds = service.ask("SELECT run_id, number, status, message FROM evolution_round WHERE status <> 'done'")
    said += [f"round {number} of run {run} is {status}: {message}" for run, number, status, message in rounds]
    [(waiting,)] = service.ask("SELECT count(*) FROM evolution_waitingchunk")
    return said + ([f"{waiting} chunks still wait"] if waiting else [])


def histories_equal(disturbed: Sequence[tuple[int, History]], undisturbed: Mapping[int, History]) -> list[str]:
    """Every run's history is that of the same seed when nobody was killed. disturbed: pairs of seed and history."""
    said = []
    for seed, one in disturbed:
        if seed not in undisturbed:
            said.append(f"there is no undisturbed run of seed {seed}")
            continue
        for what, rows in one.items():
            other = undisturbed[seed][what]
            if rows != other:
                differing = sum(mine != theirs for mine, theirs in zip(rows, other, strict=False))
                said.append(
                    f"the {what} of seed {seed} differ from the undisturbed ones: "
                    f"{len(rows)} rows and {len(other)}, {differing} of them different"
                )
    return said


def ratings_kept(service: Service, guests: Sequence[Listening]) -> list[str]:
    """Every rating that was acknowledged is there, once, as it was given; none is there that nobody sent."""
    rows = service.ask(
        "SELECT r.id::text, r.track_id::text, r.value FROM listening_rating r"
        " JOIN listening_listener l ON l.id = r.listener_id WHERE l.reference_user IS NULL"
    )
    stored = {name: (track, value) for name, track, value in rows}
    said = [f"{len(rows) - len(stored)} ratings are there more than once"] if len(rows) != len(stored) else []
    for guest in guests:
        for name, given in guest.acknowledged.items():
            if stored.get(name) != given:
                said.append(f"rating {name} was acknowledged as {given}, and {stored.get(name) or 'nothing'} is there")
        if guest.never_confirmed:
            said.append(f"{guest.name}: {guest.never_confirmed} ratings were never confirmed")
    sent = set[str]().union(*(guest.sent for guest in guests))
    said += [f"rating {name} is there, and nobody sent it" for name in stored if name not in sent]
    twice = service.ask("SELECT track_id, count(*) FROM listening_rating GROUP BY 1 HAVING count(*) > 1")
    return said + [f"track {track} has {count} ratings, for one press" for track, count in twice]


def playlists_kept(service: Service, guests: Sequence[Listening]) -> list[str]:
    """Every playlist reached its page without a reload, and none came twice with different contents."""
    said, rows = (
        [],
        service.ask(
            "SELECT p.id::text, p.number, p.listener_id, array_agg(l.track_id::text ORDER BY l.position)"
            " FROM listening_playlist p JOIN listening_playlisttrack l ON l.playlist_id = p.id GROUP BY 1, 2, 3"
        ),
    )
    stored = {name: (number, tracks) for name, number, _, tracks in rows}
    owners = {name: owner for name, _, owner, _ in rows}
    for guest in guests:
        if guest.error is not None:
            said.append(f"{guest.name} stopped: {guest.error!r}")
        if not guest.quiet.is_set():
            said.append(f"{guest.name} still waits for a playlist; the state was {guest.state}")
        said += [f"playlist {name} came to {guest.name} again with other contents" for name in guest.changed]
        for name, playlist in guest.playlists.items():
            if stored.get(name) != contents(playlist):
                said.append(f"playlist {name} came to {guest.name} as {contents(playlist)}, not as {stored.get(name)}")
        mine = {owners[name] for name in guest.playlists if name in owners}
        theirs = {name for name, owner in owners.items() if owner in mine}
        lost = sorted(stored[name][0] for name in theirs - set(guest.playlists))
        if lost:
            said.append(f"{guest.name} never got playlists {lost}")
        numbers = sorted(stored[name][0] for name in theirs)
        if numbers != list(range(1, len(numbers) + 1)):
            said.append(f"{guest.name} has playlists numbered {numbers}")
    return said


def chunks_soon(kills: Sequence[Kill]) -> list[str]:
    """A killed player's chunk ran again soon."""
    return [
        f"a killed player's chunk ran again after {kill.chunk_again:.1f} s, not within {SOON:.0f} s"
        for kill in kills
        if kill.chunk_again is not None and kill.chunk_again >= SOON
    ]
