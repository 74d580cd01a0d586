"""What every answer of the API is, also where Django answers before a door does."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from public_api import faults

ADDRESS = "/api/v1/"
BAD = 400

GetResponse = Callable[[HttpRequest], HttpResponse]


def faults_as_json(get_response: GetResponse) -> GetResponse:
    """Under ADDRESS every fault has the API's shape, and what one token was told is kept by no cache."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request.path_info.startswith(ADDRESS):
            return response
        response.headers.setdefault("Cache-Control", "no-store")
        if response.status_code < BAD or "json" in response.headers.get("Content-Type", ""):
            return response
        told = faults.answer(response.status_code)
        for name in set(response.headers) - {"Content-Type", "Content-Length"}:
            told.headers[name] = response.headers[name]  # such as Allow and Content-Range
        return told

    return answer
