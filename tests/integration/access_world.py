"""A small world with one of everything that an address can name, and somebody of every role to ask for it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import transaction
from django.test import Client

from laboratory import population
from listening import duets, listeners, sharing
from listening.models import Listener, Playlist, User
from public_api import tokens
from public_api.models import Token
from tests.integration import small_runs
from tests.integration.access_table import CLERK_SEES, Row

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
_PASSWORD = "a quiet river at dusk"


@dataclass
class World:
    """arguments: what each parameter of a route stands for here. people: role -> user; anonymous has none."""

    arguments: dict[str, str]
    people: dict[str, User]
    sessions: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    browsers: dict[bool, Client] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for role, user in self.people.items():
            client = Client()
            client.force_login(user)
            self.sessions[role] = client.cookies[settings.SESSION_COOKIE_NAME].value
            scopes = Token.Scope.values if user.is_staff else [Token.Scope.LISTEN]
            self.tokens[role] = tokens.make(user=user, name="mine", scopes=scopes, days=1).text

    def address(self, row: Row) -> str:
        """The row's address with what is the owner's in it; KeyError for a parameter that nothing here is for."""
        return "/" + _PARAMETER.sub(lambda match: self.arguments[match[1]], row.route)

    def client(self, role: str, *, enforce_csrf_checks: bool = False) -> Client:
        """A browser of somebody of this role; the same one as the last time, whoever asked for it."""
        made = Client(raise_request_exception=False, enforce_csrf_checks=enforce_csrf_checks)
        client = self.browsers.setdefault(enforce_csrf_checks, made)  # its middleware takes long to load
        client.cookies.clear()
        if role in self.sessions:
            client.cookies[settings.SESSION_COOKIE_NAME] = self.sessions[role]
        return client

    def ask(self, row: Row, role: str, method: str, *, enforce_csrf_checks: bool = False):
        """What somebody of this role is answered. What it changes is undone."""
        with _undone():
            if not row.is_of_tokens:
                return self._asked(self.client(role, enforce_csrf_checks=enforce_csrf_checks), row, method, {})
            headers = {"Authorization": f"Bearer {self.tokens[role]}"} if role in self.tokens else {}
            return self._asked(self.client("anonymous"), row, method, headers)

    def _asked(self, client: Client, row: Row, method: str, headers: dict[str, str]):
        if row.json:
            text = json.dumps(row.body)
            for name, value in self.arguments.items():
                text = text.replace(f"{{{name}}}", value)
            return client.generic(method, self.address(row), text, content_type="application/json", headers=headers)
        if method == "POST":
            return client.post(self.address(row), row.body, headers=headers)
        return client.generic(method, self.address(row), headers=headers)


@contextmanager
def _undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def make(make_playlist: Callable[..., Playlist]) -> World:
    """The world; the owner is an account, and so has everything that a listener can have."""
    owner, guest, account, friend = (listeners.make_guest() for _ in range(4))
    listeners.keep(owner, username="owner", password=_PASSWORD)
    listeners.keep(account, username="account", password=_PASSWORD)
    staff = User.objects.create_user("staff", is_staff=True)
    people = {
        "guest": guest.user,
        "account": account.user,
        "staff": staff,
        "clerk": _clerk(),
        "superuser": User.objects.create_superuser("superuser"),
        "owner": owner.user,
    }
    return World(_arguments(owner, friend, make_playlist(owner)), people)


def _clerk() -> User:
    """Staff who may look at the tables of CLERK_SEES."""
    clerk = User.objects.create_user("clerk", is_staff=True)
    for table in CLERK_SEES:
        app, _, model = table.partition(".")
        clerk.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=f"view_{model}"))
    return clerk


def _arguments(owner: Listener, friend: Listener, playlist: Playlist) -> dict[str, str]:
    run = small_runs.make(name="small", rounds=1).run
    shared, open_ = duets.make(host=owner), duets.make(host=owner)
    duets.join(listener=friend, invitation=duets.token(shared))
    kept = tokens.make(user=owner.user, name="kept", scopes=[Token.Scope.LISTEN], days=1)
    track = playlist.places.get(position=0).track
    link = sharing.of_playlist(listener=owner, playlist_id=playlist.pk, wish=sharing.Wish())
    return {
        "link_id": str(link.pk),
        "address": sharing.path(link).rstrip("/").rpartition("/")[2],
        "number": "1",
        "playlist_id": str(playlist.pk),
        "track_id": str(track.pk),
        "duet_id": str(shared.pk),
        "invitation": duets.token(open_),
        "token_id": str(kept.token.pk),
        "rating_id": "8b5a3c1e-0d7c-4f41-9a55-6f6f6c1f0a03",
        "name": run.experiment.name,
        "run_id": str(run.pk),
        "candidate_id": str(population.generation(run, None).candidates.first().pk),
        "key": track.recording_id,
        "action": "pause",
        "kind": "json",
        "method": "umap",
    }
