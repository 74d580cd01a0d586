from __future__ import annotations

import json
import re
import uuid
from datetime import timedelta

import pytest
from django.core import signing
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from listening import listeners, pace, sharing
from listening.models import PlaylistTrack, Rating, ShareLink, Track, User
from listening.sharing import MOST_LINKS, ShareError, Wish

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(db):
    return listeners.attach(User.objects.create_user("ada-the-listener"))


@pytest.fixture
def playlist(ada, make_playlist):
    return make_playlist(ada)


@pytest.fixture
def link(ada, playlist):
    return sharing.of_playlist(listener=ada, playlist_id=playlist.pk, wish=Wish())


def browser(listener):
    client = Client()
    client.force_login(listener.user)
    return client


def sounds(page):
    return re.findall(r'data-audio="([^"]+)"', page.content.decode())


def test_anybody_hears_a_shared_playlist_without_an_account_and_gets_no_cookie(link, playlist):
    stranger = Client()
    page = stranger.get(sharing.path(link))
    assert page.status_code == 200
    text = page.content.decode()
    for track in Track.objects.filter(place__playlist=playlist):
        assert track.title in text
    assert reverse("listening:welcome") in text
    first = sounds(page)[0]
    whole = stranger.get(first)
    part = stranger.get(first, headers={"Range": "bytes=10-19"})
    stored = playlist.places.get(position=0).track.recording.file
    with stored.open("rb") as file:
        content = file.read()
    assert (whole.status_code, whole.content) == (200, content)
    assert (part.status_code, part.content) == (206, content[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(content)}"
    assert stranger.cookies == {}
    assert len(sounds(page)) == 4


def test_a_stranger_is_told_nothing_of_the_listener(link, ada, playlist):
    before = Client().get(sharing.path(link)).content.decode()
    places = playlist.places.all()
    PlaylistTrack.objects.filter(pk=places[1].pk).update(role=PlaylistTrack.Role.CONTROL)
    said = {"value": -1, "never": True, "seconds": 1, "given_at": timezone.now()}
    Rating.objects.create(id=uuid.uuid4(), listener=ada, track=places[0].track, **said)
    text = Client().get(sharing.path(link)).content.decode()
    assert text == before
    secrets = [ada.user.username, str(playlist.pk), "calm jazz"]
    secrets += [str(place.track_id) for place in places] + [place.track.recording.key for place in places]
    assert [secret for secret in secrets if secret in text] == []
    told = json.loads(re.search(r'<script id="shared-json"[^>]*>(.*?)</script>', text)[1])
    assert all(set(piece) == {"number", "title", "seconds", "peaks", "audio_url"} for piece in told)
    for place in places:
        assert Client().get(reverse("listening:track_audio", args=[place.track_id])).status_code == 302


@pytest.mark.parametrize("what", ["page", "sound", "nothing"])
def test_no_answer_is_indexed_cached_or_told_to_other_sites(link, what):
    page = Client().get(sharing.path(link))
    answers = {"page": page, "sound": Client().get(sounds(page)[0]), "nothing": Client().get("/shared/none/")}
    answer = answers[what]
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer.headers["Cache-Control"]


def test_a_link_that_is_taken_back_ends_at_once_with_its_sound(link, ada):
    page = Client().get(sharing.path(link))
    sound = sounds(page)[0]
    taken = browser(ada).post(reverse("listening:share_take_back", args=[link.pk]))
    assert taken.status_code == 302
    assert Client().get(sharing.path(link)).status_code == 404
    assert Client().get(sound).status_code == 404
    assert sharing.take_back(listener=ada, link_id=link.pk) is False


def test_only_its_listener_takes_a_link_back(link, other_listener):
    browser(other_listener).post(reverse("listening:share_take_back", args=[link.pk]))
    assert Client().get(sharing.path(link)).status_code == 200


def test_a_link_expires_with_its_sound_and_makes_place_for_others(ada, playlist, link):
    holding = sharing.of_playlist(listener=ada, playlist_id=playlist.pk, wish=Wish(days=7))
    sound = sounds(Client().get(sharing.path(holding)))[0]
    ShareLink.objects.filter(pk=holding.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert Client().get(sharing.path(holding)).status_code == 404
    assert Client().get(sound).status_code == 404
    assert list(sharing.of(ada)) == [link]
    sharing.of_playlist(listener=ada, playlist_id=playlist.pk, wish=Wish())
    assert not ShareLink.objects.filter(pk=holding.pk).exists()


def test_an_address_that_we_did_not_sign_leads_nowhere(link):
    signed = sharing.path(link).split("/")[2]
    number, _, signature = signed.partition(":")
    foreign = signing.Signer(salt="another").sign(link.pk.hex)
    for address in (number, f"{number}:{signature[:-1]}", f"{uuid.uuid4().hex}:{signature}", foreign, "x" * 3000):
        assert Client().get(f"/shared/{address}/").status_code == 404
        assert Client().get(f"/shared/{address}/1/audio").status_code == 404


def test_a_link_leads_to_its_own_pieces_only(link, ada, make_playlist):
    make_playlist(ada, number=2)
    address = sharing.path(link)
    statuses = [Client().get(f"{address}{number}/audio").status_code for number in (0, 1, 4, 5, 99999999999999999999)]
    assert statuses == [404, 200, 200, 404, 404]


def test_a_favourite_is_shared_alone(ada, playlist):
    track = playlist.places.get(position=2).track
    made = browser(ada).post(reverse("listening:share_track", args=[track.pk]), {"days": "30", "signed_by": "Ada L."})
    assert made.status_code == 302
    link = sharing.of(ada).get()
    assert timedelta(days=29) < link.expires_at - timezone.now() <= timedelta(days=30)
    page = Client().get(sharing.path(link))
    assert "From Ada L." in page.content.decode()
    assert len(sounds(page)) == 1
    assert Client().get(sounds(page)[0]).status_code == 200


def test_nobody_shares_what_is_somebody_elses(playlist, other_listener):
    track = playlist.places.get(position=0).track
    for name, key in (("share_playlist", playlist.pk), ("share_track", track.pk)):
        address = reverse(f"listening:{name}", args=[key])
        for method in ("get", "post"):
            assert getattr(browser(other_listener), method)(address).status_code == 404
    assert not ShareLink.objects.exists()


def test_a_listener_has_a_bounded_number_of_links(ada, playlist, link):
    ShareLink.objects.bulk_create(ShareLink(listener=ada, playlist=playlist) for _ in range(MOST_LINKS - 1))
    refused = browser(ada).post(reverse("listening:share_playlist", args=[playlist.pk]), {"days": ""})
    assert refused.status_code == 400
    assert f"You have {MOST_LINKS} links already" in refused.content.decode()
    assert sharing.of(ada).count() == MOST_LINKS


@pytest.mark.parametrize("wish", [{"signed_by": "x" * 41}, {"signed_by": "two\nlines"}, {"days": 3}])
def test_a_link_that_cannot_be_is_refused_with_what_was_expected(wish):
    with pytest.raises(ShareError, match="Expected"):
        Wish(**wish)


def test_a_form_that_was_tampered_with_makes_no_link(ada, playlist):
    address = reverse("listening:share_playlist", args=[playlist.pk])
    for wrong in ({"days": "4000"}, {"days": "x"}, {"signed_by": "x" * 41}, {"signed_by": "a\u202eb"}):
        assert browser(ada).post(address, wrong).status_code == 400
    assert not ShareLink.objects.exists()


def test_the_accounts_page_lists_the_links_and_what_was_given_is_escaped(ada, playlist):
    sharing.of_playlist(listener=ada, playlist_id=playlist.pk, wish=Wish(signed_by="<b>Ada</b>"))
    text = browser(ada).get("/account/").content.decode()
    assert "&lt;b&gt;Ada&lt;/b&gt;" in text
    assert sharing.path(sharing.of(ada).get()) in text
    stranger = Client().get(sharing.path(sharing.of(ada).get())).content.decode()
    assert "<b>Ada" not in stranger


def test_so_many_requests_a_minute_for_one_links_sound_are_answered_and_others_go_on(link, ada, playlist, monkeypatch):
    monkeypatch.setattr(sharing, "AUDIO_A_MINUTE", 3)
    other = sharing.of_playlist(listener=ada, playlist_id=playlist.pk, wish=Wish())
    sound = f"{sharing.path(link)}1/audio"
    answers = [Client().get(sound) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, pace.TOO_MANY]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert Client().get(f"{sharing.path(other)}1/audio").status_code == 200


def test_without_redis_shared_music_still_plays(link, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert Client().get(f"{sharing.path(link)}1/audio").status_code == 200
