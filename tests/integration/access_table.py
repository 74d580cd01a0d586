"""Who may do what at which address: one row for each, and the rules that rows name.

A new address needs a row, or `test_access.py` fails: one line in ROWS, with the rule that it keeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.urls import URLResolver, get_resolver

ROLES = ("anonymous", "guest", "account", "staff", "clerk", "superuser", "owner")
"""guest and account: other listeners. staff: without any permission in the admin. clerk: staff who may look at the
tables of CLERK_SEES and at no other. owner: whose things are asked for."""

CLERK_SEES = ("evolution.experiment", "evolution.run", "evolution.round")
"""Tables of the admin; nothing there is a listener's."""

REFUSED = {401, 403, 404}


@dataclass(frozen=True)
class Rule:
    """What each role is answered: "in", or how it is refused.

    A refusal is a status, or where it is sent: "/" or "/login/". superuser: None where they are met as all staff are.
    """

    anonymous: str | int
    listeners: str | int
    staff: str | int
    owner: str | int = "in"
    superuser: str | int | None = None

    def of(self, role: str) -> str | int:
        if role in ("guest", "account"):
            return self.listeners
        if role == "superuser" and self.superuser is not None:
            return self.superuser
        return self.staff if role in ("staff", "clerk", "superuser") else getattr(self, role)


EVERYBODY = Rule("in", "in", "in")
LISTENERS = Rule("/", "in", "in")  # a page about oneself; staff who open it begin to listen
LISTENERS_CALL = Rule(401, "in", 401)
OWNER = Rule("/", 404, 404)
OWNER_ALIKE = Rule("/", "in", "in")  # what is somebody else's is left alone without a word
OWNER_CALL = Rule(401, 404, 401)
STAFF = Rule("/login/", 404, "in", owner=404)
STAFF_PERMITTED = Rule("/login/", 404, 404, owner=404, superuser="in")
STAFF_UNSAID = Rule(404, 404, "in", owner=404)
ADMIN = Rule("/admin/login/", "/admin/login/", "in", owner="/admin/login/")
TOKEN = Rule(401, "in", "in")
TOKEN_OWNER = Rule(401, 404, 404)
TOKEN_STAFF = Rule(401, 403, "in", owner=403)


@dataclass(frozen=True)
class Row:
    """An address: its route in the URL configuration, the rule, the methods it knows, and what is sent.

    also: statuses beside success that whoever is let in may get, for this world has no more. mild: it answers every
    method alike.
    """

    route: str
    rule: Rule
    methods: tuple[str, ...] = ("GET",)
    body: dict[str, Any] = field(default_factory=dict)
    json: bool = False
    also: frozenset[int] = frozenset()
    mild: bool = False

    @property
    def is_of_tokens(self) -> bool:
        return self.rule in (TOKEN, TOKEN_OWNER, TOKEN_STAFF)


GET, POST, BOTH = ("GET",), ("POST",), ("GET", "POST")
MISSING = frozenset({404})


def _row(route: str, rule: Rule, methods: tuple[str, ...] = GET, /, *also: int, **more: Any) -> Row:
    return Row(route, rule, methods, also=frozenset(also), **more)


_EXPERIMENT = "laboratory/experiments/<slug:name>/"
_RUN = "laboratory/runs/<int:run_id>/"
_CANDIDATE = "laboratory/candidates/<uuid:candidate_id>/"
_PASSWORD = "a quiet river at dusk"
_RATING = {"id": "8b5a3c1e-0d7c-4f41-9a55-6f6f6c1f0a01", "value": 1, "track": "{track_id}"}
_HEARING = {"id": "8b5a3c1e-0d7c-4f41-9a55-6f6f6c1f0a02", "track": "{track_id}", "ending": "left", "seconds": 3}

ROWS = [
    _row("healthz", EVERYBODY, mild=True),
    _row("readyz", EVERYBODY, GET, 503, mild=True),
    _row("metrics", STAFF_UNSAID),
    _row("admin/", ADMIN, mild=True),  # the whole of it: its pages are walked by a test of their own
    # listening
    _row("", EVERYBODY),
    _row("start/", EVERYBODY, POST),
    _row("login/", EVERYBODY, BOTH, body={"username": "nobody", "password": _PASSWORD}, mild=True),
    _row("logout/", EVERYBODY, ("OPTIONS", "POST")),
    _row("listen/", LISTENERS),
    _row("playlists/", LISTENERS),
    _row("playlists/<uuid:playlist_id>/", OWNER),
    _row("favourites/", LISTENERS),
    _row("taste/", LISTENERS),
    _row("duets/", LISTENERS, BOTH),
    _row("duets/<uuid:duet_id>/", OWNER),
    _row("duets/<uuid:duet_id>/end/", OWNER, POST),
    _row("duets/join/<str:invitation>/", EVERYBODY, BOTH, 409),
    _row("account/", LISTENERS, BOTH, 400),
    _row("tracks/<uuid:track_id>/audio", OWNER),
    _row("tracks/<uuid:track_id>/download", OWNER),
    _row("api/ratings/", OWNER_CALL, POST, body=_RATING, json=True),
    _row("api/listens/", OWNER_CALL, POST, body=_HEARING, json=True),
    _row("api/evolve/", LISTENERS_CALL, POST),
    _row("api/state/", LISTENERS_CALL),
    _row("api/playlists/<uuid:playlist_id>/", OWNER_CALL),
    _row("api/duets/<uuid:duet_id>/", OWNER_CALL),
    _row("api/duets/<uuid:duet_id>/fairness/", OWNER_CALL, POST, body={"fairness": 0.5}, json=True),
    _row("api/duets/<uuid:duet_id>/playlist/", OWNER_CALL, POST, 409),
    _row("api/taste/", LISTENERS_CALL),
    _row("api/taste/edits/", LISTENERS_CALL, POST, 400, body={"kind": "forget", "concept": "jazz"}, json=True),
    _row("api/taste/tracks/<uuid:track_id>/forget/", OWNER_CALL, POST, body={"forgotten": True}, json=True),
    _row("api/evolve/cancel/", LISTENERS_CALL, POST, 409),
    # what is given away, taken along and deleted
    _row("playlists/<uuid:playlist_id>/share/", OWNER, BOTH),
    _row("tracks/<uuid:track_id>/share/", OWNER, BOTH),
    _row("account/links/<uuid:link_id>/take-back/", OWNER_ALIKE, POST),
    _row("shared/<str:address>/", EVERYBODY),
    _row("shared/<str:address>/<int:number>/audio", EVERYBODY),
    _row("account/export/", LISTENERS, POST),
    _row("account/delete/", LISTENERS, BOTH, 400),
    # the laboratory
    _row("laboratory/", STAFF),
    _row("laboratory/status/", STAFF),
    _row("laboratory/new/", STAFF, BOTH, body={"way": "text", "text": "evolution: {}", "check": ""}),
    _row(_EXPERIMENT, STAFF),
    _row(f"{_EXPERIMENT}start/", STAFF, POST, 400),
    _row(f"{_EXPERIMENT}open/", STAFF, POST, 400),
    _row(f"{_EXPERIMENT}close/", STAFF, POST),
    _row(f"{_EXPERIMENT}note/", STAFF, POST, body={"note": "mine"}),
    _row(f"{_EXPERIMENT}delete/", STAFF, BOTH),
    _row(f"{_EXPERIMENT}<str:action>-all/", STAFF, POST),
    _row(f"{_RUN}pause/", STAFF, POST),
    _row(f"{_RUN}resume/", STAFF, POST),
    _row(f"{_RUN}stop/", STAFF, POST),
    _row("laboratory/recordings/<slug:key>/audio", STAFF_PERMITTED),
    _row(_RUN, STAFF),
    _row(f"{_RUN}data.json", STAFF),
    _row(f"{_RUN}export.<str:kind>", STAFF),
    _row("laboratory/compare/", STAFF),
    _row("laboratory/compare/export.<str:kind>", STAFF),
    _row("laboratory/tastes/", STAFF),
    _row("laboratory/tastes/draw/", STAFF, POST),
    _row("laboratory/tastes/<slug:method>.png", STAFF, GET, 404),  # none is drawn
    _row(_CANDIDATE, STAFF),
    _row(f"{_CANDIDATE}hear/", STAFF, POST),
    _row(f"{_CANDIDATE}audio", STAFF, GET, 404),  # it was not played
    # programs
    _row("account/tokens/", LISTENERS, BOTH, 400),
    _row("account/tokens/<int:token_id>/revoke/", OWNER, POST),
    _row("api/v1/docs", EVERYBODY),
    _row("api/v1/openapi.json", EVERYBODY, mild=True),
    _row("api/v1/", EVERYBODY, GET, 404, mild=True),
    _row("api/v1/me", TOKEN),
    _row("api/v1/playlists", TOKEN),
    _row("api/v1/playlists/<uuidstr:playlist_id>", TOKEN_OWNER),
    _row("api/v1/tracks/<uuidstr:track_id>", TOKEN_OWNER),
    _row("api/v1/tracks/<uuidstr:track_id>/audio", TOKEN_OWNER),
    _row("api/v1/tracks/<uuidstr:track_id>/download", TOKEN_OWNER),
    _row(
        "api/v1/ratings/<uuidstr:rating_id>", TOKEN_OWNER, ("PUT",), body={"track": "{track_id}", "value": 1}, json=True
    ),
    _row("api/v1/ratings", TOKEN, POST, 400, 404),
    _row("api/v1/listens", TOKEN, POST, 400, 404),
    _row("api/v1/evolve", TOKEN, ("GET", "POST", "DELETE")),
    _row("api/v1/taste", TOKEN),
    _row("api/v1/experiments", TOKEN_STAFF, BOTH, 400),
    _row("api/v1/experiments/<slug:name>", TOKEN_STAFF),
    _row("api/v1/experiments/<slug:name>/runs", TOKEN_STAFF, POST, 400),
    _row("api/v1/experiments/<slug:name>/runs/<action>", TOKEN_STAFF, POST),
    _row("api/v1/runs/<run_id>", TOKEN_STAFF),
    _row("api/v1/runs/<run_id>/history.csv", TOKEN_STAFF),
    _row("api/v1/runs/<run_id>/<action>", TOKEN_STAFF, POST),
]


@dataclass(frozen=True)
class Socket:
    """A socket's address, who may stay, what a page may say to it, and what the site tells through it."""

    route: str
    rule: Rule
    said: frozenset[str]
    told: frozenset[str]


SOCKETS = [
    Socket(
        "ws/listen/",
        Rule("closed", "in", "closed"),
        frozenset({"state", "rate", "listen"}),
        frozenset({"round_progress", "playlist_ready", "taste_ready", "listener_gone"}),
    ),
    Socket(
        "ws/laboratory/runs/<int:run_id>/",
        Rule("closed", "closed", "in", owner="closed"),
        frozenset({"state", "pulse"}),
        frozenset({"generation_stored", "run_changed", "candidate_ready", "candidate_failed"}),
    ),
]


def routes(resolver: URLResolver | None = None, before: str = "") -> Iterator[str]:
    """Every route of the URL configuration, once; of the admin its beginning alone."""
    found: dict[str, None] = {}
    for pattern in (resolver or get_resolver()).url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver) and route != "admin/":
            found.update(dict.fromkeys(routes(pattern, route)))
        else:
            found[route] = None
    yield from found
