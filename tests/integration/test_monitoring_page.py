"""The status page: for staff, what it shows, and what it says when something is away."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone

from evolution.models import Round
from evomusic_site import figures, standing


@pytest.fixture(autouse=True)
def no_figures_of_before():
    figures._LATEST.clear()
    yield
    figures._LATEST.clear()


@pytest.mark.django_db
def test_the_status_page_is_for_staff(client, listener):
    assert client.get("/laboratory/status/").status_code == 302
    client.force_login(listener.user)
    assert client.get("/laboratory/status/").status_code == 404


@pytest.mark.django_db
def test_the_page_shows_rounds_and_why_one_failed_and_holds_no_script(staff, listener):
    now = timezone.now()
    Round.objects.create(
        run=listener.run,
        number=1,
        generations_planned=1,
        status="failed",
        finished_at=now,
        message="The model is <gone>.",
    )
    Round.objects.create(run=listener.run, number=2, generations_planned=3, status="evolving", started_at=now)
    page = staff.get("/laboratory/status/").content.decode()
    assert "The model is &lt;gone&gt;." in page
    assert "0 of 3" in page
    assert "One round failed in the last hour." in page
    assert 'href="/laboratory/status/" aria-current="page"' in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert " style=" not in page
    part = staff.get("/laboratory/status/?part").content.decode()
    assert "<html" not in part
    assert "The model is &lt;gone&gt;." in part
    assert listener.user.get_username() not in page


@pytest.mark.django_db
def test_the_page_says_when_the_database_is_away(staff, monkeypatch):
    def lost():
        raise figures.DATABASE_LOST[0]("gone")

    monkeypatch.setattr(standing, "read", lost)
    answer = staff.get("/laboratory/status/")
    assert answer.status_code == 503
    assert "The database does not answer." in answer.content.decode()


@pytest.mark.django_db
def test_the_page_says_when_the_broker_is_away_and_nobody_works(staff, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    page = staff.get("/laboratory/status/").content.decode()
    assert "The broker (Redis) does not answer" in page
    assert "No conductor is up" in page
    assert "No player is up" in page
