"""The staff panel: who may come in, and starting, steering, opening and deleting experiments."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from evolution import config, runs
from evolution.models import Experiment, Round, Run
from laboratory import experiments, reference_users
from listening import listeners, trials
from listening.models import Listener, User
from tests.integration.panel import SMALL

pytestmark = pytest.mark.django_db


# who may come in


ADDRESSES = ["", "new/", "new/?way=text", "new/?way=settings", "experiments/small/", "experiments/small/delete/"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_somebody_who_is_not_logged_in_is_asked_to(client, made, address):
    answer = client.get(f"/laboratory/{address}")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/?next=/laboratory/")


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_listener_who_is_not_staff_finds_nothing(client, made, listener, address):
    client.force_login(listener.user)
    assert client.get(f"/laboratory/{address}").status_code == 404


@pytest.mark.parametrize("address", ADDRESSES)
def test_staff_see_the_pages(staff, made, address):
    answer = staff.get(f"/laboratory/{address}")
    assert answer.status_code == 200
    content = answer.content.decode()
    assert "<style" not in content
    assert " style=" not in content
    assert not re.search(r"<script(?![^>]*\bsrc=)", content)


@pytest.mark.parametrize("action", ["start", "open", "close", "note", "delete", "stop-all"])
def test_nobody_but_staff_can_change_an_experiment(client, made, listener, action):
    client.force_login(listener.user)
    assert client.post(f"/laboratory/experiments/small/{action}/", {"weight": "1"}).status_code == 404
    made.refresh_from_db()
    assert not made.is_open


def test_a_dismissed_member_of_staff_is_out_at_once(client, made):
    user = User.objects.create_user("ada", is_staff=True)
    client.force_login(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert client.get("/laboratory/").status_code == 302


def test_every_change_needs_the_page_s_token(made):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(User.objects.create_user("ada", is_staff=True))
    assert browser.post("/laboratory/new/", {"way": "text", "text": SMALL}).status_code == 403
    assert browser.post("/laboratory/experiments/small/open/", {"weight": "1"}).status_code == 403
    page = browser.get("/laboratory/new/?way=text").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token
    answer = browser.post(
        "/laboratory/new/", {"way": "text", "text": SMALL, "name": "with-token", "csrfmiddlewaretoken": token[1]}
    )
    assert answer.status_code == 302
    assert Experiment.objects.filter(name="with-token").exists()


@pytest.mark.parametrize("action", ["start", "open", "close", "note", "stop-all"])
def test_changes_are_not_made_by_following_a_link(staff, made, action):
    assert staff.get(f"/laboratory/experiments/small/{action}/").status_code == 405


# starting


def start(staff: Client, name: str = "small", **fields: str):
    return staff.post(f"/laboratory/experiments/{name}/start/", {"seed": "7", **fields})


def test_starting_begins_a_run_for_each_listener(staff, made):
    assert start(staff, listeners="0-2, 17").status_code == 302
    begun = Run.objects.order_by("pk")
    assert [run.listeners.get().reference_user for run in begun] == [0, 1, 2, 17]
    assert {(run.seed, run.rounds_planned, run.status) for run in begun} == {(7, 2, "running")}
    page = staff.get("/laboratory/experiments/small/").content.decode()
    assert "reference 17" in page
    assert "4 running" in page


def test_listeners_can_be_drawn_by_the_seed(staff, made):
    start(staff, count="3")
    first = [run.listeners.get().reference_user for run in Run.objects.order_by("pk")]
    assert len(set(first)) == 3
    assert experiments.drawn_listeners(made, count=3, seed=7) == first
    assert experiments.drawn_listeners(made, count=3, seed=8) != first


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"listeners": "400"}, "expected numbers from 0 to 399"),
        ({"listeners": "4-2"}, "expected a range"),
        ({"listeners": "0-500000"}, "expected a range"),
        ({"listeners": "bob"}, "expected numbers and ranges"),
        ({"listeners": ","}, "expected at least one"),
        ({"listeners": "0-99, 100"}, "expected at most 100 listeners"),
        ({"count": "401"}, "less than or equal to 100"),
        ({}, "expected either"),
        ({"listeners": "1", "count": "2"}, "expected either"),
        ({"listeners": "1", "seed": "-1"}, "greater than or equal to 0"),
        ({"listeners": "1", "seed": str(2**63)}, "less than or equal to"),
    ],
)
def test_listeners_that_cannot_be_started_are_told(staff, made, fields, expected):
    answer = start(staff, **fields)
    assert answer.status_code == 400
    assert expected.lower() in answer.content.decode().lower()
    assert not Run.objects.exists()


def test_the_number_of_reference_users_is_read_without_torch_and_is_the_aligners():
    from models_store.aligner import shipped

    assert reference_users.count(config.Configuration()) == shipped.load_for("spectral").config.users


def test_an_aligner_that_cannot_be_read_leaves_the_check_to_the_conductor(tmp_path):
    (tmp_path / "broken.pt").write_bytes(b"not a checkpoint")
    asked = {"user_model": {"aligner": {"abs_file_path": str(tmp_path / "broken.pt")}}}
    assert reference_users.count(config.parse(asked)) is None


# steering


@pytest.fixture
def run(made: Experiment) -> Run:
    return trials.begin(made, reference_user=0, seed=1).run


def test_a_run_is_paused_resumed_and_stopped(staff, run):
    for action, status in (("pause", "paused"), ("resume", "running"), ("stop", "stopped"), ("resume", "running")):
        answer = staff.post(f"/laboratory/runs/{run.pk}/{action}/")
        assert (answer.status_code, answer["Location"]) == (302, "/laboratory/experiments/small/")
        run.refresh_from_db()
        assert run.status == status


def test_what_cannot_be_done_to_a_run_is_said(staff, run):
    runs.stop(run)
    answer = staff.post(f"/laboratory/runs/{run.pk}/pause/", follow=True)
    assert "there is nothing to pause" in answer.content.decode()


def test_steering_leads_back_to_where_it_was_asked_for_and_to_no_other_site(staff, run):
    inside = staff.post(f"/laboratory/runs/{run.pk}/pause/", {"next": f"/laboratory/runs/{run.pk}/"})
    assert inside["Location"] == f"/laboratory/runs/{run.pk}/"
    outside = staff.post(f"/laboratory/runs/{run.pk}/resume/", {"next": "https://example.org/"})
    assert outside["Location"] == "/laboratory/experiments/small/"


def test_all_runs_of_an_experiment_are_steered_together(staff, made):
    start(staff, listeners="0-2")
    runs.stop(Run.objects.earliest("pk"))
    staff.post("/laboratory/experiments/small/pause-all/")
    assert sorted(Run.objects.values_list("status", flat=True)) == ["paused", "paused", "stopped"]
    staff.post("/laboratory/experiments/small/resume-all/")
    assert set(Run.objects.values_list("status", flat=True)) == {"running"}
    staff.post("/laboratory/experiments/small/stop-all/")
    assert set(Run.objects.values_list("status", flat=True)) == {"stopped"}
    assert not Round.objects.filter(status__in=Round.PENDING).exists()


def test_an_action_that_does_not_exist_is_not_found(staff, run):
    assert staff.post("/laboratory/experiments/small/explode-all/").status_code == 404
    assert staff.post("/laboratory/runs/999999/stop/").status_code == 404


def test_why_a_run_failed_is_on_the_page(staff, run):
    runs.fail(run, "The <b>endpoint</b> does not answer.")
    content = staff.get("/laboratory/experiments/small/").content.decode()
    assert "The &lt;b&gt;endpoint&lt;/b&gt; does not answer." in content
    assert "1 failed" in content


# people


def test_new_listeners_fall_into_an_open_experiment_until_it_is_closed(staff, made):
    staff.post("/laboratory/experiments/small/open/", {"weight": "2.5"})
    assert listeners.make_guest().run.experiment == made
    assert "weight 2.5" in staff.get("/laboratory/").content.decode()
    staff.post("/laboratory/experiments/small/close/")
    assert listeners.make_guest().run.experiment != made


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf", "many", ""])
def test_a_weight_that_is_none_is_refused(staff, made, weight):
    answer = staff.post("/laboratory/experiments/small/open/", {"weight": weight})
    assert answer.status_code == 400
    made.refresh_from_db()
    assert not made.is_open


def test_an_experiment_that_seeks_a_reference_user_is_not_for_people(staff):
    made = experiments.create(f"{SMALL}fitness:\n  mode: user\n", name="seeks")
    answer = staff.post("/laboratory/experiments/seeks/open/", {"weight": "1"})
    assert answer.status_code == 400
    assert "a person is none of them" in answer.content.decode()
    made.refresh_from_db()
    assert not made.is_open


# notes and the end


def test_a_note_is_kept(staff, made):
    staff.post("/laboratory/experiments/small/note/", {"note": "Worth another look."})
    assert "Worth another look." in staff.get("/laboratory/").content.decode()


def test_an_experiment_is_deleted_with_its_runs(staff, run):
    runs.stop(run)
    assert "1 stopped" in staff.get("/laboratory/experiments/small/delete/").content.decode()
    staff.post("/laboratory/experiments/small/delete/")
    assert not Experiment.objects.filter(name="small").exists()
    assert not Listener.objects.exists()


def test_an_experiment_that_runs_is_not_deleted(staff, run):
    answer = staff.post("/laboratory/experiments/small/delete/", follow=True)
    assert "stop them first" in answer.content.decode()
    assert Experiment.objects.filter(name="small").exists()


def test_an_experiment_that_people_took_part_in_is_kept(staff, made):
    experiments.open_to_people(made, weight=1.0)
    runs.stop(listeners.make_guest().run)
    answer = staff.post("/laboratory/experiments/small/delete/", follow=True)
    assert "people took part in it" in answer.content.decode()
    assert Experiment.objects.filter(name="small").exists()


# the size of the pages


def test_more_runs_ask_the_database_no_more_often(staff, made, django_assert_max_num_queries: Callable):
    start(staff, listeners="0")
    with django_assert_max_num_queries(16) as few:
        staff.get("/laboratory/experiments/small/")
    before = len(few)
    start(staff, listeners="1-60")
    with django_assert_max_num_queries(before):
        content = staff.get("/laboratory/experiments/small/").content.decode()
    assert "Page 1 of 2" in content
    assert "reference 0" in staff.get("/laboratory/experiments/small/?page=2").content.decode()


def test_experiments_are_found_by_their_notes(staff, made):
    experiments.create(SMALL, name="other", note="about brass")
    content = staff.get("/laboratory/?search=brass").content.decode()
    assert "/laboratory/experiments/other/" in content
    assert "/laboratory/experiments/small/" not in content
