"""What is answered while rows or recordings cannot be read or written: that it passes, and nothing is lost."""

from __future__ import annotations

import sys

import django.db
import psycopg
import psycopg_pool
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views import defaults

from evolution import keeping

AWAY = (django.db.OperationalError, django.db.InterfaceError, django.db.InternalError, psycopg_pool.PoolTimeout)
UNAVAILABLE = 503  # HTTP status
RETRY_SECONDS = 5
READ_ONLY = "Nothing can be stored at the moment: the database can only be read. What was stored is safe; try again."
FULL = "Nothing can be stored at the moment: the database's disk is full. What was stored is safe; try again."
NOT_KEPT = "The place where music is kept does not answer at the moment. What was stored is safe; try again."
GONE = "The database does not answer at the moment. What was stored is safe; try again."
_SENTENCES = {psycopg.errors.ReadOnlySqlTransaction: READ_ONLY, psycopg.errors.DiskFull: FULL}


def server_error(request: HttpRequest) -> HttpResponse:
    """The answer to a request that failed (`handler500`): 503 and why where what keeps rows or music is the reason."""
    told = sentence(sys.exc_info()[1])
    if told is None:
        return defaults.server_error(request)
    if request.path_info.startswith("/api/"):
        answer: HttpResponse = JsonResponse({"error": told}, status=UNAVAILABLE)
    else:
        answer = render(request, "503.html", {"message": told}, status=UNAVAILABLE)
    answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer


def sentence(error: BaseException | None) -> str | None:
    """What people are told of a failure; None when it is neither the database's nor the storage's of recordings."""
    if isinstance(error, keeping.KeepingError):
        return NOT_KEPT
    if not isinstance(error, AWAY):
        return None
    cause = error.__cause__ or error
    return next((told for kind, told in _SENTENCES.items() if isinstance(cause, kind)), GONE)
