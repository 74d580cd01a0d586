"""What goes wrong, in one shape: {"error": a sentence, "field": what of the request is meant, or null}."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from evolution import config
from evolution.models import Experiment, Run
from laboratory import experiments
from listening import quotas
from listening.feedback import RatingError
from listening.listens import ListenError
from listening.models import Listen, Playlist, Rating, Track
from public_api import limits

MISSING = (Experiment, Listen, Playlist, Rating, Run, Track)
REFUSED = (RatingError, ListenError, experiments.RefusedError)
SENTENCES = {
    HTTPStatus.UNAUTHORIZED: "Expected a token that is valid, as Authorization: Bearer evo_..., got none.",
    HTTPStatus.NOT_FOUND: "There is no such address or thing.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Expected another method for this address.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong here. It is noted.",
}
_NAMED = re.compile(r"(?P<field>[a-z_]+): ")
_SOURCES = {"body": 2, "query": 1, "path": 1}
"""How many parts of a fault's place are ours, not the sender's: where it was, and what we call a body."""

Answer = Callable[[HttpRequest, Any], HttpResponse]


def answer(
    status: int, error: str = "", *, field: str | None = None, headers: dict[str, str] | None = None
) -> HttpResponse:
    """A fault as the API tells it; without `error`, what is usual for the status."""
    said = error or SENTENCES.get(HTTPStatus(status)) or f"{HTTPStatus(status).phrase}."
    return JsonResponse({"error": said, "field": field}, status=status, headers=headers)


def install(api: NinjaAPI) -> None:
    """Have the API answer so for everything that its doors raise."""
    answers: dict[type[Exception], Answer] = {
        ValidationError: _invalid,
        AuthenticationError: lambda _request, _error: answer(401, headers={"WWW-Authenticate": "Bearer"}),
        HttpError: lambda _request, error: answer(error.status_code, str(error)),
        Http404: lambda _request, _error: answer(404),
        RequestDataTooBig: lambda _request, _error: answer(413, "Expected a smaller body."),
        FileNotFoundError: lambda _request, _error: answer(404, "The recording is not there any more."),
        config.ConfigurationError: _misconfigured,
        limits.TooManyError: _not_now,
        quotas.QuotaError: _not_now,
    }
    answers |= dict.fromkeys(REFUSED, _refused)
    answers |= {model.DoesNotExist: _missing(model.__name__.lower()) for model in MISSING}
    for kind, handler in answers.items():
        api.add_exception_handler(kind, handler)


def _missing(name: str) -> Answer:
    return lambda _request, _error: answer(404, f"There is no such {name}.")


def _invalid(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    """The first fault of many; its input is not said back."""
    first = error.errors[0]
    place = first["loc"][_SOURCES.get(str(first["loc"][0]), 1) :]
    field = ".".join(str(part) for part in place) or None
    told = str(first["msg"]).removeprefix("Value error, ")
    return answer(400, f"{field}: {told}" if field else told, field=field)


def _refused(_request: HttpRequest, error: ValueError) -> HttpResponse:
    named = _NAMED.match(str(error))
    return answer(400, str(error), field=named["field"] if named else None)


def _not_now(_request: HttpRequest, error: limits.TooManyError | quotas.QuotaError) -> HttpResponse:
    return answer(429, str(error), headers={"Retry-After": str(error.seconds)})


def _misconfigured(_request: HttpRequest, error: config.ConfigurationError) -> HttpResponse:
    """All faults of the configuration; the field is the first one's key."""
    return answer(400, str(error), field=error.faults[0].path or "configuration")
