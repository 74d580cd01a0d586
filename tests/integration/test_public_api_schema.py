"""The API's schema, fuzzed by schemathesis against the real application and a real database.

What is sent is drawn from the schema, valid and not, with a fixed seed; and sent again with ids and names that exist,
so that it gets past the first door.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.core import NotSet
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from listening import listeners
from listening.models import Listener, Playlist
from public_api import tokens
from public_api.api import api as ninja_api
from tests.integration import small_runs

pytestmark = pytest.mark.django_db

SEEDED = settings(
    max_examples=6,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
"""Drawn by a seed of their own, for each operation and for what is valid and what is not."""

CONFORMS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
REFUSES = [*CONFORMS, checks.negative_data_rejection]


def operations() -> list[Any]:
    # The seed alone says what is drawn; no earlier finding is tried first.
    generation = GenerationConfig(deterministic=True, with_security_parameters=False)
    config = SchemathesisConfig(projects=ProjectsConfig(default=ProjectConfig(generation=generation)))
    schema = schemathesis.openapi.from_dict(ninja_api.get_openapi_schema(), config=config)
    schema.app = get_wsgi_application()
    return [found.ok() for found in schema.get_all_operations()]


@pytest.fixture
def known(make_playlist: Callable[..., Playlist]) -> tuple[Listener, dict[str, Any]]:
    """A member of staff who listens, and what parameters and fields of each name may be so that something is there."""
    listener = listeners.keep(listeners.make_guest(), username="grace", password="a long pass phrase")
    assert listener.user
    listener.user.is_staff = True
    listener.user.save()
    playlist = make_playlist(listener, tracks=2)
    run = small_runs.make(rounds=1).run
    track = str(playlist.places.first().track_id)
    names = {"playlist_id": str(playlist.pk), "track_id": track, "name": run.experiment.name, "run_id": run.pk}
    return listener, names


def aimed(case: Any, known: dict[str, Any]) -> Any:
    """The same request about what exists."""
    path = {**(case.path_parameters or {})}
    path |= {name: value for name, value in known.items() if name in path}
    asked = {"path_parameters": path, "query": case.query, "headers": case.headers}
    if isinstance(case.body, NotSet):
        return case.operation.Case(**asked)
    body = deepcopy(case.body)
    for one in body if isinstance(body, list) else [body]:
        if isinstance(one, dict) and "track" in one:
            one["track"] = known["track_id"]
    return case.operation.Case(**asked, body=body, media_type=case.media_type)


@pytest.fixture
def in_one_transaction(settings: Any) -> Iterator[None]:
    """Requests that keep the test's connection, as those of Django's own test client do, and are not too many."""
    settings.API_REQUESTS_A_MINUTE = 100_000
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.label)
def test_whatever_is_sent_is_answered_as_the_schema_says(
    operation: Any, known: tuple[Listener, dict[str, Any]], in_one_transaction: None
):
    listener, names = known
    made = tokens.make(user=listener.user, name="fuzz", scopes=["listen", "experiments"], days=1)
    headers = {"Authorization": f"Bearer {made.text}"}

    def answered(case: Any) -> None:
        case.call_and_validate(headers=headers, checks=REFUSES)
        aimed(case, names).call_and_validate(headers=headers, checks=CONFORMS)

    takes_something = operation.body or any(True for _ in operation.iter_parameters())
    for mode in GenerationMode if takes_something else (GenerationMode.POSITIVE,):  # else nothing can be wrong
        drawn = given(case=operation.as_strategy(generation_mode=mode))
        SEEDED(drawn(answered))()


def test_without_a_token_nothing_is_told(known: tuple[Listener, dict[str, Any]], in_one_transaction: None):
    names = {**known[1], "rating_id": str(uuid.uuid4()), "action": "pause"}
    for operation in operations():
        case = operation.Case(path_parameters={name: names[name] for name in names if f"{{{name}}}" in operation.path})
        told = case.call()
        assert told.status_code == 401, operation.label
        assert told.json().keys() == {"error", "field"}
