from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
from django.core import signing
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evolution import runs
from evolution.models import Run
from listening import duets, listeners, selectors
from listening.duets import DuetError, InvitationError
from listening.models import Duet, Listener, Playlist, Rating, Track, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def host(db):
    user = User.objects.create_user("ada", password="a quiet river")
    return listeners.attach(user)


@pytest.fixture
def guest(listener):
    return listener


@pytest.fixture
def duet(host, guest):
    made = duets.make(host=host)
    return duets.join(listener=guest, invitation=duets.token(made))


def browser(listener):
    client = Client()
    client.force_login(listener.user)
    return client


def post(client, address, content=None):
    return client.post(address, json.dumps(content or {}), content_type="application/json")


def invitation(duet):
    return reverse("listening:duet_join", args=[duets.token(duet)])


def other_experiment(listener, **changes):
    """The listener's run, moved to an experiment that is configured otherwise."""
    experiment = runs.experiment(name="other", configuration={"user_model": {"best_solutions": 4}, **changes})
    Run.objects.filter(pk=listener.run_id).update(experiment=experiment)
    return Listener.objects.select_related("run__experiment", "user").get(pk=listener.pk)


def test_a_guest_joins_by_the_invitation_and_both_see_the_duet(host, guest):
    made = browser(host).post("/duets/")
    page = browser(host).get(made.url)
    link = page.context["link"]
    assert link.startswith("http://testserver/duets/join/")
    there = browser(guest)
    offered = there.get(link)
    assert offered.status_code == 200
    assert "ada" in offered.content.decode()
    assert not Duet.objects.exclude(guest=None).exists()
    joined = there.post(link, follow=True)
    assert joined.status_code == 200
    assert Duet.objects.get().guest == guest
    assert "You and ada" in joined.content.decode()
    assert "You and a guest" in browser(host).get(made.url).content.decode()


def test_somebody_new_becomes_a_guest_by_joining_and_their_own_music_begins(host):
    link = invitation(duets.make(host=host))
    client = Client()
    assert "Start listening and join" in client.get(link).content.decode()
    assert Listener.objects.count() == 1
    assert client.post(link).status_code == 302
    newcomer = Listener.objects.get(is_guest=True)
    assert Duet.objects.get().guest == newcomer
    assert selectors.pending_round(newcomer) is not None


def test_the_host_who_opens_the_own_invitation_is_told_so(host):
    answer = browser(host).get(invitation(duets.make(host=host)))
    assert answer.status_code == 409
    assert "your own invitation" in answer.content.decode()


def test_a_third_person_is_refused(duet, other_listener):
    there = browser(other_listener)
    for answer in (there.get(invitation(duet)), there.post(invitation(duet)), Client().post(invitation(duet))):
        assert answer.status_code == 409
        assert "joined this duet already" in answer.content.decode()
    assert Listener.objects.count() == 3
    duet.refresh_from_db()
    assert duet.guest != other_listener


def test_who_has_joined_is_brought_back_by_the_invitation(duet, guest):
    answer = browser(guest).get(invitation(duet))
    assert answer.status_code == 302
    assert answer.url == f"/duets/{duet.pk}/"


def test_an_invitation_that_is_cut_forged_or_old_is_refused(host, guest, monkeypatch):
    made = duets.make(host=host)
    token = duets.token(made)
    forged = signing.dumps(str(made.pk), salt="something else")
    for text in (token[:-3], forged, "nonsense", ""):
        with pytest.raises(InvitationError):
            duets.join(listener=guest, invitation=text)
    monkeypatch.setattr(duets, "INVITATION_DAYS", 0)
    with pytest.raises(InvitationError, match="expired"):
        duets.join(listener=guest, invitation=token)
    assert browser(guest).get(reverse("listening:duet_join", args=["nonsense"])).status_code == 409


def test_ending_the_duet_ends_the_invitation(host, guest):
    made = duets.make(host=host)
    token = duets.token(made)
    assert browser(host).post(f"/duets/{made.pk}/end/").status_code == 302
    with pytest.raises(InvitationError, match="ended"):
        duets.join(listener=guest, invitation=token)
    assert duets.of(host).count() == 0


def test_either_may_end_it_and_then_nothing_more_can_be_done(duet, host, guest):
    duets.ask(listener=host, duet_id=duet.pk)
    duets.end(listener=guest, duet_id=duet.pk)
    duets.end(listener=host, duet_id=duet.pk)
    duet.refresh_from_db()
    assert duet.wanted_at is None
    with pytest.raises(DuetError, match="ended"):
        duets.ask(listener=host, duet_id=duet.pk)
    with pytest.raises(DuetError, match="ended"):
        duets.set_fairness(listener=guest, duet_id=duet.pk, fairness=0.1)
    assert "has ended" in browser(host).get(f"/duets/{duet.pk}/").content.decode()


def test_either_may_move_the_slider_and_the_other_sees_it(duet, host, guest):
    answer = post(browser(guest), f"/api/duets/{duet.pk}/fairness/", {"fairness": 0.85})
    assert answer.status_code == 200
    assert browser(host).get(f"/api/duets/{duet.pk}/").json()["fairness"] == 0.85


@pytest.mark.parametrize("fairness", [-0.1, 1.5, "much", None, True, [1], 10**400])
def test_a_fairness_that_is_none_is_answered_with_what_was_expected(duet, host, fairness):
    answer = post(browser(host), f"/api/duets/{duet.pk}/fairness/", {"fairness": fairness})
    assert answer.status_code == 400
    assert "expected a number from 0 to 1" in answer.json()["error"]
    duet.refresh_from_db()
    assert duet.fairness == 0.5


@pytest.mark.parametrize("body", ["", "{", "[]", "5", "[" * 100_000, '{"fairness": NaN}'])
def test_a_body_without_fairness_is_refused(duet, host, body):
    answer = browser(host).post(f"/api/duets/{duet.pk}/fairness/", body, content_type="application/json")
    assert answer.status_code == 400
    assert "xpected" in answer.json()["error"]


def test_asking_is_a_request_that_stays_until_it_is_done_and_asking_twice_asks_once(duet, host, guest):
    for person in (host, guest, host):
        answer = post(browser(person), f"/api/duets/{duet.pk}/playlist/")
        assert answer.status_code == 202
        assert answer.json()["making"] is True
    first = Duet.objects.get().wanted_at
    duets.ask(listener=guest, duet_id=duet.pk)
    assert Duet.objects.get().wanted_at == first


def test_a_new_request_takes_the_old_failure_away(duet, host):
    Duet.objects.update(message="It broke.")
    assert duets.content(duets.ask(listener=host, duet_id=duet.pk), host)["message"] == ""


def test_alone_nobody_makes_a_playlist_for_two(host):
    made = duets.make(host=host)
    answer = post(browser(host), f"/api/duets/{made.pk}/playlist/")
    assert answer.status_code == 409
    assert "Nobody has joined" in answer.json()["error"]


def test_only_the_two_find_their_duet(duet, other_listener):
    there = browser(other_listener)
    assert there.get(f"/duets/{duet.pk}/").status_code == 404
    assert there.post(f"/duets/{duet.pk}/end/").status_code == 404
    assert there.get(f"/api/duets/{duet.pk}/").status_code == 404
    assert post(there, f"/api/duets/{duet.pk}/fairness/", {"fairness": 1}).status_code == 404
    assert post(there, f"/api/duets/{duet.pk}/playlist/").status_code == 404
    assert Client().get(f"/api/duets/{duet.pk}/").status_code == 401
    assert there.get("/duets/").content.decode().count("duet-row") == 0


def test_everything_that_changes_a_duet_needs_the_page_s_token(duet, host):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(host.user)
    for address in ("/duets/", f"/duets/{duet.pk}/end/", invitation(duet), f"/api/duets/{duet.pk}/playlist/"):
        assert strict.post(address).status_code == 403, address


def test_each_is_told_the_others_name_and_nothing_else(duet, host, guest, make_playlist):
    host.user.email = "ada@example.org"
    host.user.save()
    make_playlist(host)
    for address in (f"/duets/{duet.pk}/", f"/api/duets/{duet.pk}/", "/duets/"):
        told = browser(guest).get(address).content.decode()
        assert "ada" in told
        assert "ada@example.org" not in told
        assert not any(str(one.pk) in told for one in host.playlists.all())
    seen = browser(host).get(f"/api/duets/{duet.pk}/").json()
    assert seen["partner"] == "a guest"
    assert guest.user.username not in browser(host).get(f"/duets/{duet.pk}/").content.decode()


def test_two_whose_music_or_taste_is_of_another_kind_cannot_be_brought_together(host, guest):
    made = duets.make(host=host)
    elsewhere = other_experiment(guest, music_model="musicgen")
    answer = browser(elsewhere).post(invitation(made))
    assert answer.status_code == 409
    assert "different instruments" in answer.content.decode()
    assert "different instruments" in duets.why_apart(host, elsewhere)


def test_another_aligner_is_another_kind_of_taste_and_another_length_is_not(host, guest, tmp_path):
    assert duets.why_apart(host, other_experiment(guest)) == ""
    Run.objects.filter(pk=guest.run_id).update(
        experiment=runs.experiment(
            name="third", configuration={"user_model": {"aligner": {"abs_file_path": str(tmp_path / "own.pt")}}}
        )
    )
    changed = Listener.objects.select_related("run__experiment", "user").get(pk=guest.pk)
    assert "different kinds" in duets.why_apart(host, changed)


def test_a_synthetic_listener_is_nobody_for_a_duet(host):
    synthetic = listeners.make_synthetic(reference_user=0, seed=1)
    assert "two people" in duets.why_apart(host, synthetic)


def test_nobody_piles_up_duets_without_end(host):
    for _ in range(duets.MOST_OPEN):
        duets.make(host=host)
    answer = browser(host).post("/duets/")
    assert answer.status_code == 409
    assert f"{duets.MOST_OPEN} duets already" in answer.content.decode()


def shared_playlist(make_playlist, duet, listener):
    playlist = make_playlist(listener)
    Playlist.objects.filter(pk=playlist.pk).update(duet=duet, round=None)
    return Playlist.objects.get(pk=playlist.pk)


def test_a_shared_playlist_says_with_whom_it_was_made(duet, host, guest, make_playlist):
    mine, theirs = (shared_playlist(make_playlist, duet, each) for each in (host, guest))
    assert selectors.playlist_content(mine)["partner"] == "a guest"
    assert selectors.playlist_content(theirs)["partner"] == "ada"
    assert "with ada" in browser(guest).get("/playlists/").content.decode()
    assert "with ada" in browser(guest).get(f"/playlists/{theirs.pk}/").content.decode()
    assert [one["number"] for one in duets.content(duet, guest)["playlists"]] == [1]


@pytest.mark.parametrize("gone", ["host", "guest"])
def test_deleting_one_of_the_two_leaves_the_other_everything(duet, host, guest, make_playlist, gone):
    mine, theirs = (shared_playlist(make_playlist, duet, each) for each in (host, guest))
    leaving, staying, kept = (host, guest, theirs) if gone == "host" else (guest, host, mine)
    track = kept.places.first().track
    Rating.objects.create(
        id=uuid.uuid4(), listener=staying, track=track, value=1, seconds=1, given_at=timezone.now() - timedelta(1)
    )
    leaving.user.delete()
    kept.refresh_from_db()
    assert kept.duet is None
    assert selectors.playlist_content(kept)["partner"] is None
    assert Track.objects.filter(listener=staying).count() == 4
    client = browser(staying)
    assert client.get(f"/playlists/{kept.pk}/").status_code == 200
    assert client.get(f"/tracks/{track.pk}/audio").status_code == 200
    assert client.get(f"/duets/{duet.pk}/").status_code == 404
