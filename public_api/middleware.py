"""What every answer of the API is, also where Django answers before a door does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

from public_api import faults

ADDRESS = "/api/v1/"
BAD = 400

GetResponse = Callable[[HttpRequest], HttpResponse] | Callable[[HttpRequest], Awaitable[HttpResponse]]


@sync_and_async_middleware
def faults_as_json(get_response: GetResponse) -> GetResponse:
    """Under ADDRESS every fault has the API's shape, and what one token was told is kept by no cache."""

    def said(request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if not request.path_info.startswith(ADDRESS):
            return response
        response.headers.setdefault("Cache-Control", "no-store")
        if response.status_code < BAD or "json" in response.headers.get("Content-Type", ""):
            return response
        told = faults.answer(response.status_code)
        for name in set(response.headers) - {"Content-Type", "Content-Length"}:
            told.headers[name] = response.headers[name]  # such as Allow and Content-Range
        return told

    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponse:
            return said(request, await get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponse:
        return said(request, get_response(request))  # type: ignore[arg-type]

    return answer
