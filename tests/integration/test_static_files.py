"""Scripts, styles and fonts, which are answered before Django is asked."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator

from evomusic_site import static_files
from evomusic_site.environment import ROOT
from evomusic_site.middleware import POLICY


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """The application behind: it has nothing."""
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def ask(application: Any, path: str, headers: Any = ()) -> tuple[int, dict[bytes, bytes], bytes]:
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": list(headers)}
    visitor = ApplicationCommunicator(application, scope)
    await visitor.send_input({"type": "http.request"})
    start = await visitor.receive_output(5)
    body, more = b"", True
    while more:
        event = await visitor.receive_output(5)
        body, more = body + event["body"], event.get("more_body", False)
    return start["status"], dict(start["headers"]), body


@pytest.mark.parametrize(
    ("address", "file"),
    [
        ("/static/css/base.css", "static/css/base.css"),
        ("/static/vendor/htmx/htmx.min.js", "node_modules/htmx.org/dist/htmx.min.js"),
    ],
)
async def test_files_are_served_from_where_they_lie_and_may_run_nothing_else(address: str, file: str) -> None:
    status, headers, body = await ask(static_files.around(refuse), address)
    assert (status, body) == (200, (ROOT / file).read_bytes())
    assert headers[b"content-security-policy"] == POLICY.encode()
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"cache-control"] == b"max-age=60, public"


async def test_files_of_installed_applications_are_there_too() -> None:
    assert (await ask(static_files.around(refuse), "/static/admin/css/base.css"))[0] == 200


@pytest.mark.parametrize(
    "address",
    [
        "/static/css/none.css",
        "/static/../manage.py",
        "/static/css/../../manage.py",
        "/static/",
        "/listen/",
        "/manage.py",
    ],
)
async def test_what_is_no_static_file_is_asked_of_the_application(address: str) -> None:
    assert (await ask(static_files.around(refuse), address))[0] == 404


async def test_a_browser_that_has_a_file_is_not_sent_it_again() -> None:
    application = static_files.around(refuse)
    known = (await ask(application, "/static/css/base.css"))[1]
    asked = [(b"if-modified-since", known[b"last-modified"])]
    assert (await ask(application, "/static/css/base.css", asked))[::2] == (304, b"")


async def test_what_was_collected_is_served_instead_when_it_was(settings: Any, tmp_path: Any) -> None:
    (tmp_path / "css").mkdir()
    (tmp_path / "css" / "base.css").write_bytes(b"collected")
    settings.STATIC_COLLECTED, settings.STATIC_ROOT = True, tmp_path
    application = static_files.around(refuse)
    assert (await ask(application, "/static/css/base.css"))[2] == b"collected"
    assert (await ask(application, "/static/css/player.css"))[0] == 404


async def test_while_something_is_built_a_changed_file_is_served_as_it_is_now(settings: Any, tmp_path: Any) -> None:
    settings.DEBUG, settings.STATIC_COLLECTED, settings.STATIC_ROOT = True, True, tmp_path
    application = static_files.around(refuse)
    for content in (b"first", b"a second, longer one"):
        (tmp_path / "new.css").write_bytes(content)
        assert (await ask(application, "/static/new.css"))[2] == content
