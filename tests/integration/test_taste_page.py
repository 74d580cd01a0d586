"""The taste page's doors: what is read, what is kept of what a listener says, and who may."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from listening import edits, listeners, selectors, taste_page
from listening.models import Listener, PlaylistTrack, Rating, TasteEdit, TasteReport, Track, User

pytestmark = pytest.mark.django_db

CONCEPTS = [("calm", "mood", 0.4, 0.97), ("piano", "instruments", 0.7, 0.9), ("techno", "genre", -0.3, 0.8)]


@pytest.fixture
def mine(client, listener):
    client.force_login(listener.user)
    return client


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """The listeners whose taste conductors were asked to read again."""
    found: list[int] = []
    monkeypatch.setattr("listening.queue.enqueue_report", found.append)
    return found


@pytest.fixture
def report(listener):
    """A report that names three concepts; without evidence."""
    concepts = [
        {"name": name, "slot": slot, "lean": lean, "spread": 0.1, "sure": sure, "edit": None}
        for name, slot, lean, sure in CONCEPTS
    ]
    content = {
        "ratings": 2,
        "learner": "bayes",
        "beliefs": [{**one, "evidence": []} for one in concepts],
        "concepts": concepts,
        "landscape": [[0.1, 0.2, 0.3]],
    }
    return TasteReport.objects.create(listener=listener, content=content, made_at=timezone.now())


def post(client, address, content):
    body = content if isinstance(content, str) else json.dumps(content)
    return client.post(address, body, content_type="application/json")


def say(client, content):
    return post(client, "/api/taste/edits/", content)


def rate(track, value, *, never=False):
    Rating.objects.create(
        id=uuid.uuid4(),
        listener=track.listener,
        track=track,
        value=value,
        never=never,
        seconds=4,
        given_at=timezone.now(),
    )


def place(track, x=0.5, y=-0.5):
    Track.objects.filter(pk=track.pk).update(map_x=x, map_y=y)


def tracks_of(playlist):
    return [one.track for one in playlist.places.select_related("track__listener")]


def test_a_guest_sees_the_page_before_anything_was_heard(mine):
    answer = mine.get("/taste/")
    assert answer.status_code == 200
    assert "Nothing heard yet" in answer.content.decode()
    content = mine.get("/api/taste/").json()
    assert (content["tracks"], content["beliefs"], content["slots"], content["pending"]) == ([], [], [], False)


def test_somebody_with_an_account_and_a_member_of_staff_see_it_too(client, listener):
    account = listeners.keep(listener, username="ada", password="a quiet river at dusk").user
    for user in (account, User.objects.create_user("grace", is_staff=True)):
        client.force_login(user)
        assert client.get("/taste/").status_code == 200


def test_nobody_is_sent_to_the_welcome_page_and_told_so_in_json(client, listener, make_playlist):
    track = tracks_of(make_playlist(listener))[0]
    assert client.get("/taste/")["Location"] == "/"
    assert client.get("/api/taste/").status_code == 401
    assert say(client, {"concept": "calm", "kind": "forget"}).status_code == 401
    assert post(client, f"/api/taste/tracks/{track.pk}/forget/", {"forgotten": True}).status_code == 401


def test_no_door_opens_to_another_method(mine, listener, make_playlist):
    track = tracks_of(make_playlist(listener))[0]
    assert mine.post("/taste/").status_code == 405
    assert mine.post("/api/taste/").status_code == 405
    assert mine.get("/api/taste/edits/").status_code == 405
    assert mine.get(f"/api/taste/tracks/{track.pk}/forget/").status_code == 405


def test_everything_heard_has_its_place_and_its_latest_rating(mine, listener, make_playlist):
    liked, changed, unrated, old = tracks_of(make_playlist(listener))
    for track in (liked, changed, unrated):
        place(track)
    rate(liked, 1)
    rate(changed, 1)
    rate(changed, -1, never=True)
    content = mine.get("/api/taste/").json()
    found = {one["id"]: one for one in content["tracks"]}
    assert found[str(liked.pk)]["rating"] == 1
    assert (found[str(changed.pk)]["rating"], found[str(changed.pk)]["never"]) == (-1, True)
    assert found[str(unrated.pk)]["rating"] is None
    assert (found[str(unrated.pk)]["x"], found[str(unrated.pk)]["y"]) == (0.5, -0.5)
    assert [found[str(one.pk)]["dot"] for one in (liked, old)] == [True, False]
    assert content["heard"] == 4
    assert content["pending"]  # rated, and no report yet


def test_nothing_tells_why_a_track_was_played(listener, make_playlist):
    playlist = make_playlist(listener)
    first, control, repeat, _ = tracks_of(playlist)
    PlaylistTrack.objects.filter(track=control).update(role=PlaylistTrack.Role.CONTROL)
    PlaylistTrack.objects.filter(track=repeat).update(role=PlaylistTrack.Role.REPEAT)
    Track.objects.filter(pk=repeat.pk).update(repeats=first)
    content = taste_page.read(listener)
    found = {one["id"]: one for one in content["tracks"]}
    assert str(repeat.pk) not in found
    assert content["heard"] == 3
    assert {tuple(one) for one in content["tracks"]} == {tuple(found[str(first.pk)])}
    assert not {"role", "repeats", "control"} & set(found[str(control.pk)])
    assert PlaylistTrack.Role.CONTROL not in json.dumps(content["tracks"])


def test_a_belief_is_a_sentence_with_the_tracks_that_told_it(listener, report, make_playlist):
    second = tracks_of(make_playlist(listener))[1]
    report.content["beliefs"][0]["evidence"] = [str(second.pk), str(uuid.uuid4()), "nonsense"]
    report.save()
    content = taste_page.read(listener)
    belief = content["beliefs"][0]
    assert (belief["sentence"], belief["confidence"]) == ("You like calm music.", "sure")
    assert belief["evidence"] == [str(second.pk)]
    assert content["headline"] == "You like calm music with piano."
    assert [slot["slot"] for slot in content["slots"]] == ["genre", "mood", "instruments"]
    assert not content["pending"]


def test_tracks_beyond_the_most_that_are_drawn_are_counted_and_evidence_among_them_is_kept(
    listener, report, make_playlist, monkeypatch
):
    monkeypatch.setattr(taste_page, "MOST_DOTS", 4)
    old = tracks_of(make_playlist(listener, number=1))
    new = tracks_of(make_playlist(listener, number=2))
    report.content["beliefs"][0]["evidence"] = [str(old[0].pk)]
    report.save()
    content = taste_page.read(listener)
    assert {one["id"] for one in content["tracks"]} == {str(one.pk) for one in (old[0], *new)}
    assert content["heard"] == 8


def test_an_aligner_without_concepts_is_no_error(listener, report, make_playlist):
    make_playlist(listener)
    report.content |= {"beliefs": [], "concepts": [], "landscape": []}
    report.save()
    content = taste_page.read(listener)
    assert (content["believes"], content["slots"], content["headline"]) == (False, [], "")


def test_more_tracks_and_edits_ask_the_database_no_more_often(
    listener, report, make_playlist, django_assert_max_num_queries
):
    make_playlist(listener)
    with django_assert_max_num_queries(5):  # three of ours and two of the proof's
        taste_page.read(listener)
    for number in range(2, 6):
        for track in tracks_of(make_playlist(listener, number=number)):
            rate(track, 1)
    for name, *_ in CONCEPTS:
        edits.forget(listener=listener, concept=name)
    with django_assert_max_num_queries(5):
        taste_page.read(listener)


def test_a_slider_is_kept_at_once_and_the_taste_is_read_again(
    mine, listener, report, asked, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        answer = say(mine, {"concept": "calm", "kind": "lean", "wanted": -0.5})
    assert answer.status_code == 201
    assert answer.json() == {"edit": {"kind": "lean", "wanted": -0.5, "until": None}, "before": None}
    assert asked == [listener.pk]
    content = mine.get("/api/taste/").json()
    assert content["pending"]
    assert content["slots"][1]["concepts"][0]["edit"] == {"kind": "lean", "wanted": -0.5, "until": None}
    assert content["wishes"] == [{"concept": "calm", "kind": "lean", "wanted": -0.5, "until": None}]


def test_saying_the_same_again_changes_nothing(mine, report, asked, django_capture_on_commit_callbacks):
    for said in ({"kind": "lean", "wanted": 0.3}, {"kind": "forget"}, {"kind": "not now"}, {"kind": "withdrawn"}):
        with django_capture_on_commit_callbacks(execute=True):
            statuses = [say(mine, {"concept": "calm", **said}).status_code for _ in range(3)]
        assert statuses == [201, 200, 200]
    assert TasteEdit.objects.count() == len(asked) == 4


def test_not_this_session_ends_by_itself_and_gives_way_to_what_was_said_before(listener, report):
    edits.lean(listener=listener, concept="calm", wanted=0.8)
    stored = edits.not_now(listener=listener, concept="calm")
    now = timezone.now()
    assert timedelta(0) < stored.now.until - now <= edits.SESSION
    assert [one.kind for one in selectors.wishes(listener, until=now)] == ["not now"]
    assert [one.kind for one in selectors.wishes(listener, until=now + edits.SESSION)] == ["lean"]


def test_what_is_withdrawn_is_as_if_nothing_had_been_said(listener, report):
    edits.lean(listener=listener, concept="calm", wanted=0.8)
    edits.forget(listener=listener, concept="piano")
    stored = edits.withdraw(listener=listener, concept="calm")
    assert (stored.now, stored.before.wanted) == (None, 0.8)
    assert [one.concept for one in selectors.wishes(listener, until=timezone.now())] == ["piano"]


def test_what_was_said_of_a_concept_that_is_known_no_more_can_be_taken_back(listener, report):
    edits.forget(listener=listener, concept="calm")
    report.content["concepts"] = []
    report.save()
    assert edits.withdraw(listener=listener, concept="calm").is_new
    with pytest.raises(edits.EditError, match="none are known"):
        edits.forget(listener=listener, concept="calm")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "Expected an edit as JSON"),
        ("[" * 100_000, "Expected an edit as JSON"),
        ([], "got list"),
        ({}, "kind: expected one of lean, forget"),
        ({"concept": "calm", "kind": "more"}, "got 'more'"),
        ({"concept": "calm", "kind": ["lean"]}, "kind: expected"),
        ({"concept": "polka", "kind": "forget"}, "one of the 3 concepts of your taste page, got 'polka'"),
        ({"concept": "calm\x00", "kind": "forget"}, "concept: expected"),
        ({"concept": None, "kind": "forget"}, "concept: expected the name"),
        ({"concept": {"a": 1}, "kind": "withdrawn"}, "concept: expected the name"),
        ({"concept": "calm", "kind": "lean"}, "wanted: expected a number from -1 to 1, got 'None'"),
        ({"concept": "calm", "kind": "lean", "wanted": 1.2}, "got '1.2'"),
        ({"concept": "calm", "kind": "lean", "wanted": True}, "got 'True'"),
        ({"concept": "calm", "kind": "lean", "wanted": "much"}, "got 'much'"),
        ('{"concept": "calm", "kind": "lean", "wanted": NaN}', "got 'nan'"),
        ({"concept": "calm", "kind": "lean", "wanted": 10**400}, "wanted: expected"),
    ],
)
def test_a_bad_edit_is_answered_with_what_was_expected_and_what_came(mine, report, content, expected):
    answer = say(mine, content)
    assert answer.status_code == 400
    assert expected in answer.json()["error"]
    assert not TasteEdit.objects.exists()


def test_without_a_report_there_is_nothing_to_edit(mine):
    answer = say(mine, {"concept": "calm", "kind": "forget"})
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        "concept: expected nothing yet: none are known, got 'calm'",
    )


def test_a_track_teaches_nothing_until_it_is_remembered(
    mine, listener, make_playlist, asked, django_capture_on_commit_callbacks
):
    track = tracks_of(make_playlist(listener))[0]
    address = f"/api/taste/tracks/{track.pk}/forget/"
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(2):
            assert post(mine, address, {"forgotten": True}).json() == {"track": str(track.pk), "forgotten": True}
    moment = Track.objects.get(pk=track.pk).forgotten_at
    assert moment is not None
    assert asked == [listener.pk]
    assert next(one["forgotten"] for one in taste_page.read(listener)["tracks"] if one["id"] == str(track.pk))
    assert post(mine, address, {"forgotten": False}).json()["forgotten"] is False
    assert Track.objects.get(pk=track.pk).forgotten_at is None


@pytest.mark.parametrize("content", ["{", [], {}, {"forgotten": None}, {"forgotten": 1}, {"forgotten": "yes"}])
def test_what_to_do_with_a_track_has_to_be_said(mine, listener, make_playlist, content):
    track = tracks_of(make_playlist(listener))[0]
    answer = post(mine, f"/api/taste/tracks/{track.pk}/forget/", content)
    assert answer.status_code == 400
    assert "xpected" in answer.json()["error"]


def test_what_is_somebody_elses_is_not_found_and_not_changed(mine, other_listener, make_playlist, report):
    track = tracks_of(make_playlist(other_listener))[0]
    assert post(mine, f"/api/taste/tracks/{track.pk}/forget/", {"forgotten": True}).status_code == 404
    assert post(mine, f"/api/taste/tracks/{uuid.uuid4()}/forget/", {"forgotten": True}).status_code == 404
    assert Track.objects.get(pk=track.pk).forgotten_at is None
    say(mine, {"concept": "calm", "kind": "forget"})
    assert selectors.wishes(other_listener, until=timezone.now()) == []
    assert taste_page.read(other_listener)["beliefs"] == []


def test_a_report_that_should_be_there_and_is_not_is_asked_for_when_the_page_is_opened(
    mine, listener, make_playlist, asked
):
    track = tracks_of(make_playlist(listener))[0]
    mine.get("/taste/")
    assert asked == []
    rate(track, 1)
    mine.get("/taste/")
    assert asked == [listener.pk]


def test_a_report_whose_asking_was_lost_is_asked_for_again(mine, listener, report, asked):
    mine.get("/taste/")
    report.wanted_at = report.made_at + timedelta(seconds=1)
    report.save()
    mine.get("/taste/")
    assert asked == []  # it may be under way
    report.made_at -= 2 * edits.LATE
    report.wanted_at -= 2 * edits.LATE
    report.save()
    mine.get("/taste/")
    assert asked == [listener.pk]


def test_a_listener_without_a_user_is_read_like_any_other(report):
    synthetic = Listener.objects.create(reference_user=3, run=report.listener.run, is_guest=False)
    assert taste_page.read(synthetic)["tracks"] == []
