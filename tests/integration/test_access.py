"""Every address tried by everybody: what `access_table` says is what happens. One world, all rows; each is undone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.contrib import admin
from django.db import connection
from django.urls import reverse

from tests.integration import access_world
from tests.integration.access_table import CLERK_SEES, REFUSED, ROLES, ROWS, Row, routes

pytestmark = pytest.mark.django_db

STAFF = ("staff", "clerk", "superuser")
METHODS = {"GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE"}
WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|MERGE|COPY|TRUNCATE|CREATE|ALTER|DROP)\b", re.IGNORECASE)
LEAKS = re.compile(r"Traceback|/site-packages/|File \"|SECRET_KEY|DATABASE_URL|psycopg|/tmp/|/home/|/root/")
RUNNING = {
    "a script of its own": re.compile(r"<script(?![^>]*(src=|type=\"application/json\"))[^>]*>"),
    "a style attribute": re.compile(r"<[^>]*\sstyle\s*="),
    "styles of its own": re.compile(r"<style"),
    "an attribute that is run": re.compile(r"<[a-z][^>]*\son[a-z]+\s*="),
    "an address that is run": re.compile(r"javascript:"),
    "what tells of the server": LEAKS,
}


@pytest.fixture
def world(make_playlist, redis_url):
    return access_world.make(make_playlist)


def test_every_address_has_a_row_and_every_row_an_address():
    known, there = {row.route for row in ROWS}, set(routes())
    assert len(known) == len(ROWS), "tests/integration/access_table.py has an address twice"
    missing, gone = sorted(there - known), sorted(known - there)
    assert not missing, (
        f"say in tests/integration/access_table.py who may ask for {missing}: one _row(...) in ROWS each"
    )
    assert not gone, f"take the rows of {gone} out of tests/integration/access_table.py: there are no such addresses"


def test_everybody_is_let_in_or_refused_as_the_table_says_and_no_page_runs_anything(world):
    wrong = []
    for row in ROWS:
        for role in ROLES:
            for method in row.methods:
                answer = world.ask(row, role, method)
                told = f"{method} /{row.route} as {role}"
                if not _is_as_told(answer, row, role):
                    wrong.append(f"{told}: expected {row.rule.of(role)}, got {_shown(answer)}")
                wrong += [f"{told}: has {fault}" for fault in _faults(answer, row)]
    assert not wrong, "\n".join(wrong)


def _is_as_told(answer, row: Row, role: str) -> bool:
    expected = row.rule.of(role)
    if isinstance(expected, int):
        return answer.status_code == expected
    if expected != "in":
        return answer.status_code == 302 and answer["Location"].partition("?")[0] == expected
    goes_away = answer.status_code == 302 and answer["Location"].startswith("/login/")
    return answer.status_code in row.also or (200 <= answer.status_code < 400 and not goes_away)


def _shown(answer) -> str:
    return f"{answer.status_code} {answer.headers.get('Location', '')}"


def _faults(answer, row: Row) -> list[str]:
    found = [] if "Content-Security-Policy" in answer else ["no Content-Security-Policy"]
    if answer.get("X-Content-Type-Options") != "nosniff":
        found.append("no nosniff")
    if answer.streaming or not answer.get("Content-Type", "").startswith("text/html") or row.route == "admin/":
        return found
    page = answer.content.decode()
    return found + [what for what, pattern in RUNNING.items() if pattern.search(page)]


def test_a_method_that_an_address_does_not_know_is_refused_stores_nothing_and_tells_nothing(world):
    wrong = []
    with _statements() as statements:
        world.ask(next(row for row in ROWS if row.route == "start/"), "anonymous", "POST")
    assert any(WRITES.match(one) for one in statements)  # what is stored is noticed
    for row in ROWS:
        for role in ("anonymous", _who(row)):
            for method in METHODS - set(row.methods):
                with _statements() as statements:
                    answer = world.ask(row, role, method)
                told = f"{method} /{row.route} as {role}"
                wrong += [f"{told}: {fault}" for fault in _unrefused(answer, row, role, method)]
                wrong += [f"{told}: stores {one}" for one in statements if WRITES.match(one)]
    assert not wrong, "\n".join(wrong)


@contextmanager
def _statements() -> Iterator[list[str]]:
    """What the database is told meanwhile."""
    told: list[str] = []

    def note(execute, statement, *rest):
        told.append(str(statement))
        return execute(statement, *rest)

    with connection.execute_wrapper(note):
        yield told


def _unrefused(answer, row: Row, role: str, method: str) -> list[str]:
    """What is wrong with the answer to a method that the row does not know."""
    if not answer.streaming and (leak := LEAKS.search(answer.content.decode())):
        return [f"tells {leak[0]!r}"]
    reads = method == "HEAD" and "GET" in row.methods  # of a page that is there, or not
    if row.mild or (reads and answer.status_code != 405):
        return [] if answer.status_code < 500 or answer.status_code in row.also else [f"got {_shown(answer)}"]
    if row.rule.of(role) != "in" and answer.status_code != 405:
        return [] if answer.status_code == 302 or answer.status_code in REFUSED else [f"got {_shown(answer)}"]
    if answer.status_code != 405:
        return [f"expected 405, got {_shown(answer)}"]
    more = set(answer["Allow"].split(", ")) - set(row.methods) - {"HEAD"}
    faults = [f"allows {', '.join(more)}"] if more else []
    if answer.content and answer.json() != {"error": "Expected another method for this address.", "field": None}:
        faults.append(f"tells {answer.content[:80]!r}")
    return faults


def test_nothing_is_posted_without_the_page_s_token(world):
    posted = [row for row in ROWS if "POST" in row.methods and not row.is_of_tokens]
    assert len(posted) > 20
    answers = {row.route: world.ask(row, _who(row), "POST", enforce_csrf_checks=True).status_code for row in posted}
    assert {route: status for route, status in answers.items() if status != 403} == {}


def _who(row: Row) -> str:
    return "superuser" if row.rule.of("superuser") == "in" else "owner"


def test_the_policy_allows_no_script_and_no_style_of_the_page(client):
    for address in ("/", "/nothing/here/", "/static/js/main.js", "/healthz"):
        policy = client.get(address)["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy


def test_the_admin_s_tables_are_for_who_may_see_them(world):
    tables = [one._meta for one in admin.site._registry]
    assert len(tables) > 10
    for role in ROLES:
        browser = world.client(role)
        seen = {"superuser": {one.label_lower for one in tables}, "clerk": set(CLERK_SEES), "staff": set()}.get(role)
        expected = {one.label: 302 if seen is None else 200 if one.label_lower in seen else 403 for one in tables}
        lists = {one.label: reverse(f"admin:{one.app_label}_{one.model_name}_changelist") for one in tables}
        assert {label: browser.get(address).status_code for label, address in lists.items()} == expected, role


def test_a_clerk_reads_the_rows_of_their_tables_in_the_admin_and_changes_none(world):
    browser = world.client("clerk")
    for model in admin.site._registry:
        row, seen = model._default_manager.first(), 200 if model._meta.label_lower in CLERK_SEES else 403
        own = {f"{row.pk}/change/": seen, f"{row.pk}/history/": seen, f"{row.pk}/delete/": 403} if row else {}
        pages = {"add/": 403} | own
        where = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        assert {page: browser.get(where + page).status_code for page in pages} == pages, model._meta.label
        with _statements() as statements:
            sent = {page: browser.post(where + page, {"note": "mine", "post": "yes"}).status_code for page in pages}
            sent = {page: status for page, status in sent.items() if not page.endswith("history/")}  # which is read
            browser.post(
                where, {"action": "delete_selected", "_selected_action": [row.pk] if row else [], "post": "yes"}
            )
        assert set(sent.values()) == {403}, (model._meta.label, sent)
        assert [one for one in statements if WRITES.match(one)] == [], model._meta.label
    assert [browser.get(f"/admin/{app}/").status_code for app in ("evolution", "listening")] == [200, 404]
    shown = set(re.findall(r"/admin/(\w+/\w+)/\"", browser.get("/admin/").content.decode()))
    assert {one.replace("/", ".") for one in shown} == set(CLERK_SEES)


def test_who_listens_is_told_on_no_page_of_the_staff_s_but_to_who_may_look_at_listeners(world):
    owner = world.people["owner"].listener
    rows = {one: reverse(f"admin:evolution_{one}_changelist") for one in ("experiment", "run", "round")}
    pages = [
        *rows.values(),
        f"{rows['run']}{owner.run_id}/change/",
        f"{rows['experiment']}{owner.run.experiment_id}/change/",
        f"/laboratory/experiments/{owner.run.experiment.name}/",
        f"/laboratory/runs/{owner.run_id}/",
        "/laboratory/status/",
        "/laboratory/tastes/",
    ]
    naming = {role: [page for page in pages if "owner" in _text(world.client(role), page)] for role in STAFF}
    assert naming == {"staff": [], "clerk": [], "superuser": [rows["run"], pages[5], pages[6]]}
    for asked in ("listeners__user__username=owner", "listeners__ratings__value=1", "listeners__is_guest=1"):
        assert world.client("clerk").get(f"{rows['run']}?{asked}").status_code == 400


def _text(browser, page: str) -> str:
    answer = browser.get(page)
    return answer.content.decode() if answer.status_code == 200 else ""
