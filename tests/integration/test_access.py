"""Every address tried by everybody: what `access_table` says is what happens. One world, all rows; each is undone."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin
from django.urls import reverse

from tests.integration import access_world
from tests.integration.access_table import REFUSED, ROLES, ROWS, Row, routes

pytestmark = pytest.mark.django_db

METHODS = ("GET", "HEAD", "POST", "DELETE")
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


def test_a_method_that_an_address_does_not_know_is_refused(world):
    wrong = []
    for row in ROWS:
        for method in set(METHODS) - set(row.methods):
            answer = world.ask(row, _who(row), method)
            is_read = method in ("HEAD", "OPTIONS") or row.mild
            refused = REFUSED | {302, 405}
            good = (
                answer.status_code < 500 or answer.status_code in row.also if is_read else answer.status_code in refused
            )
            if not good:
                wrong.append(f"{method} /{row.route}: got {_shown(answer)}")
    assert not wrong, "\n".join(wrong)


def test_nothing_is_posted_without_the_page_s_token(world):
    posted = [row for row in ROWS if "POST" in row.methods and not row.is_of_tokens]
    assert len(posted) > 20
    answers = {row.route: world.ask(row, _who(row), "POST", enforce_csrf_checks=True).status_code for row in posted}
    assert {route: status for route, status in answers.items() if status != 403} == {}


def _who(row: Row) -> str:
    return "superuser" if row.rule.staff == "in" else "owner"


def test_the_policy_allows_no_script_and_no_style_of_the_page(client):
    for address in ("/", "/nothing/here/", "/static/js/main.js", "/healthz"):
        policy = client.get(address)["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy


def test_the_admin_s_tables_are_for_who_may_see_them(world):
    tables = [one._meta for one in admin.site._registry]
    lists = [reverse(f"admin:{one.app_label}_{one.model_name}_changelist") for one in tables]
    assert len(lists) > 10
    for role in ROLES:
        browser = world.client(role)
        answers = {address: browser.get(address).status_code for address in lists}
        expected = {"superuser": 200, "staff": 403}.get(role, 302)
        assert {address: status for address, status in answers.items() if status != expected} == {}, role
