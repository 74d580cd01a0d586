"""Django's admin over the rows: every page opens, lists ask few questions, nothing is changed by hand."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from evolution import runs
from evolution.models import Candidate, Evaluation, Experiment, Generation, Recording, Round, Run
from evomusic_site import middleware
from listening.models import Listener, Rating, TasteSnapshot, Track, User

pytestmark = pytest.mark.django_db

OURS = [
    model
    for model in admin.site._registry
    if model._meta.app_label in ("evolution", "listening", "laboratory", "public_api", "auth")
]


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def fill(listener: Listener, make_playlist: Callable) -> None:
    """Rows of every kind for one listener."""
    playlist = make_playlist(listener, tracks=3)
    round_ = playlist.round
    TasteSnapshot.objects.create(
        listener=listener,
        round=round_,
        learner="infonce",
        embedding=[1.0, 0.0],
        ratings=3,
        seconds=0.1,
        figures={"auc": 0.75, "loss": 1.0},
        created_at=timezone.now(),
    )
    for number in range(2):
        generation = Generation.objects.create(
            round=round_, number=number + 1, best=0.5, mean=0.2, median=0.2, worst=-0.1, seconds=1.0
        )
        for position, evaluation in enumerate(Evaluation.objects.order_by("key")[:3]):
            Candidate.objects.create(
                generation=generation,
                position=position,
                prompt=f"calm jazz {position}",
                genome=f"calm jazz {position}",
                seed=1,
                evaluation=evaluation,
                fitness=0.1 * position,
                likeness=0.2,
                artefacts=0.1,
            )
    for track in Track.objects.filter(listener=listener):
        Rating.objects.create(
            id=uuid.uuid4(), listener=listener, track=track, value=1, seconds=5.0, given_at=timezone.now()
        )


def address(model: type[Model], *, of: Model | None = None) -> str:
    name = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    return name if of is None else f"{name}{of.pk}/change/"


def test_every_table_of_ours_can_be_looked_at_but_for_the_places_in_a_playlist():
    tables = {*apps.get_app_config("evolution").get_models(), *apps.get_app_config("listening").get_models()}
    assert {model.__name__ for model in tables - set(OURS)} == {"PlaylistTrack"}


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_lists_and_rows_open(staff, listener, make_playlist, model):
    fill(listener, make_playlist)
    answer = staff.get(address(model))
    assert answer.status_code == 200
    row = model.objects.first()
    if row is not None:
        assert staff.get(address(model, of=row)).status_code == 200


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_searching_opens_and_finds_only_what_fits(staff, listener, make_playlist, model):
    fill(listener, make_playlist)
    answer = staff.get(address(model), {"q": "nothing is called this"})
    assert answer.status_code == 200
    if admin.site._registry[model].search_fields:
        assert answer.context["cl"].result_count == 0


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_longer_lists_ask_the_database_no_more_often(
    staff, listener, other_listener, make_playlist, model, django_assert_max_num_queries
):
    fill(listener, make_playlist)
    with django_assert_max_num_queries(25) as few:
        staff.get(address(model))
    before = len(few)
    fill(other_listener, make_playlist)
    with django_assert_max_num_queries(before):
        staff.get(address(model))


def test_a_row_s_page_with_rows_beneath_asks_no_more_often_for_more_of_them(
    staff, listener, make_playlist, django_assert_max_num_queries
):
    fill(listener, make_playlist)
    generation = Generation.objects.earliest("pk")
    with django_assert_max_num_queries(25) as few:
        staff.get(address(Generation, of=generation))
    before = len(few)
    for position in range(10, 60):
        Candidate.objects.create(
            generation=generation, position=position, prompt="x", genome="x", seed=1, fitness=0, likeness=0, artefacts=0
        )
    with django_assert_max_num_queries(before):
        content = staff.get(address(Generation, of=generation)).content.decode()
    assert 25 <= content.count("/admin/evolution/candidate/") <= 2 * 25


def test_what_the_search_and_the_listeners_wrote_is_not_changed_by_hand(staff, listener, make_playlist):
    fill(listener, make_playlist)
    for model in (Run, Round, Generation, Candidate, Evaluation, Recording, Listener, Track, Rating, TasteSnapshot):
        row = model.objects.first()
        assert row is not None
        assert staff.post(address(model, of=row), {"value": "-1"}).status_code == 403
        assert staff.get(f"{address(model)}add/").status_code == 403
    assert set(Rating.objects.values_list("value", flat=True)) == {1}


def test_an_experiment_s_note_is_all_that_is_changed_by_hand(staff):
    experiment = runs.experiment(name="tried", configuration={})
    inline = {"runs-TOTAL_FORMS": "0", "runs-INITIAL_FORMS": "0"}
    answer = staff.post(address(Experiment, of=experiment), {"note": "Good.", "is_open": "on", "name": "x"} | inline)
    assert answer.status_code == 302
    experiment.refresh_from_db()
    assert (experiment.note, experiment.is_open, experiment.name) == ("Good.", False, "tried")


def test_embeddings_and_states_are_not_shown(staff, listener, make_playlist):
    fill(listener, make_playlist)
    for model in (Evaluation, TasteSnapshot, Track, Run):
        row = model.objects.first()
        content = staff.get(address(model, of=row)).content.decode()
        assert "embedding" not in content.lower().replace("token_embedding", "")
        assert "searcher_state" not in content


def test_runs_are_found_by_their_experiment_and_filtered_by_state(staff, listener, other_listener):
    runs.pause(other_listener.run)
    assert staff.get(address(Run), {"status__exact": "paused"}).context["cl"].result_count == 1
    assert staff.get(address(Run), {"q": "listening"}).context["cl"].result_count == 2
    assert staff.get(address(Experiment), {"mode": "prompt GA"}).context["cl"].result_count == 1
    assert staff.get(address(Experiment), {"mode": "GA"}).context["cl"].result_count == 0


def test_recordings_and_tracks_have_a_player_and_the_sound_is_there_in_parts(staff, listener, make_playlist):
    fill(listener, make_playlist)
    recording = Recording.objects.first()
    assert recording
    where = f"/laboratory/recordings/{recording.pk}/audio"
    for model in (Recording, Track):
        assert "<audio controls" in staff.get(address(model)).content.decode()
    assert where in staff.get(address(Recording)).content.decode()
    answer = staff.get(where, headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer["Content-Range"]) == (206, "bytes 10-19/1000")
    assert answer.content == recording.file.open("rb").read()[10:20]


def test_a_recording_is_heard_by_staff_alone(client, listener, other_listener, make_playlist):
    make_playlist(listener)
    where = f"/laboratory/recordings/{Recording.objects.earliest('pk').pk}/audio"
    assert client.get(where).status_code == 302
    client.force_login(other_listener.user)
    assert client.get(where).status_code == 404


def test_staff_without_permissions_see_no_rows(client, listener, make_playlist):
    fill(listener, make_playlist)
    client.force_login(User.objects.create_user("bob", is_staff=True))
    assert client.get("/admin/").status_code == 200
    assert client.get(address(Rating)).status_code == 403


def test_what_tells_of_another_table_is_left_out_for_who_may_not_look_at_that_one(client, listener, make_playlist):
    fill(listener, make_playlist)
    bob = User.objects.create_user("bob", is_staff=True)
    client.force_login(bob)
    for seen, hidden in (("track", {"likes", "listener_row"}), ("listener", {"likes", "dislikes"})):
        bob.user_permissions.set(Permission.objects.filter(codename=f"view_{seen}"))
        model = apps.get_model("listening", seen)
        row = client.get(address(model, of=model.objects.first()))
        shown = set(client.get(address(model)).context["cl"].list_display)
        assert not hidden & shown
        assert "/admin/listening/rating/" not in row.content.decode()
        bob.user_permissions.add(*Permission.objects.filter(codename__in=["view_rating", "view_listener"]))
        assert hidden <= set(client.get(address(model)).context["cl"].list_display)
        assert "/admin/listening/rating/" in client.get(address(model, of=model.objects.first())).content.decode()


def test_tracks_are_found_by_their_listener_s_name_by_those_alone_who_may_look_at_listeners(
    client, listener, make_playlist
):
    fill(listener, make_playlist)
    bob = User.objects.create_user("bob", is_staff=True)
    client.force_login(bob)
    name = listener.user.username
    for codenames, found in ((["view_track"], 0), (["view_track", "view_listener"], 3)):
        bob.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        assert client.get(address(Track), {"q": name}).context["cl"].result_count == found


def test_a_recording_is_heard_by_staff_who_may_look_at_recordings_or_tracks(client, listener, make_playlist):
    make_playlist(listener)
    where = f"/laboratory/recordings/{Recording.objects.earliest('pk').pk}/audio"
    bob = User.objects.create_user("bob", is_staff=True)
    client.force_login(bob)
    heard = {}
    for codename in ("view_run", "view_recording", "view_track"):
        bob.user_permissions.set(Permission.objects.filter(codename=codename))
        heard[codename] = client.get(where).status_code
    assert heard == {"view_run": 404, "view_recording": 200, "view_track": 200}


def test_nobody_else_comes_in(client, listener):
    client.force_login(listener.user)
    assert client.get("/admin/").status_code == 302
    assert client.get(address(Rating)).status_code == 302


def test_a_person_can_be_deleted_with_all_that_is_theirs(staff, listener, make_playlist):
    fill(listener, make_playlist)
    user = listener.user
    answer = staff.post(f"/admin/listening/user/{user.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 302
    assert not Listener.objects.filter(pk=listener.pk).exists()
    assert not Rating.objects.exists()


def test_only_the_admin_s_pages_may_evaluate_expressions(staff):
    assert staff.get("/admin/")["Content-Security-Policy"] == middleware.ADMIN_POLICY
    assert "'unsafe-eval'" in middleware.ADMIN_POLICY
    for where in ("/laboratory/", "/laboratory/new/", "/", "/administration/"):
        assert "unsafe" not in staff.get(where)["Content-Security-Policy"]


def test_the_admin_s_pages_hold_no_inline_script(staff, listener, make_playlist):
    import re

    fill(listener, make_playlist)
    pages = [address(Run), address(Run, of=Run.objects.earliest("pk")), address(User), "/admin/"]
    for where in pages:
        for attributes in re.findall(r"<script([^>]*)>", staff.get(where).content.decode()):
            assert "src=" in attributes or 'type="application/json"' in attributes
