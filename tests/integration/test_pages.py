from __future__ import annotations

import pytest

from listening.models import Listener, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def mine(client, listener):
    client.force_login(listener.user)
    return client


def test_a_visitor_becomes_a_guest_listener_with_one_press(client):
    assert client.get("/").status_code == 200
    answer = client.post("/start/")
    assert answer.status_code == 302
    listener = Listener.objects.get()
    assert listener.is_guest
    assert listener.run.rounds.count() == 1
    assert client.get("/listen/").status_code == 200


def test_pressing_start_twice_makes_one_listener(client):
    client.post("/start/")
    client.post("/start/")
    assert Listener.objects.count() == 1


@pytest.mark.parametrize("address", ["/listen/", "/playlists/", "/favourites/", "/taste/", "/duets/", "/account/"])
def test_pages_send_nobody_to_the_welcome_page(client, address):
    answer = client.get(address)
    assert (answer.status_code, answer["Location"]) == (302, "/")


@pytest.mark.parametrize("address", ["/listen/", "/playlists/", "/favourites/", "/taste/", "/duets/", "/account/"])
def test_pages_are_there_for_a_listener(mine, listener, make_playlist, address):
    make_playlist(listener)
    answer = mine.get(address)
    assert answer.status_code == 200
    assert (
        "script-src" in answer["Content-Security-Policy"] or "default-src 'self'" in answer["Content-Security-Policy"]
    )


def test_a_longer_history_asks_the_database_no_more_often(mine, listener, make_playlist, django_assert_max_num_queries):
    for number in range(1, 4):
        make_playlist(listener, number=number)
    with django_assert_max_num_queries(16) as few:
        mine.get("/playlists/")
    for number in range(4, 9):
        make_playlist(listener, number=number)
    with django_assert_max_num_queries(len(few)):
        mine.get("/playlists/")


def test_a_page_of_history_that_does_not_exist_is_the_last_one(mine, listener, make_playlist):
    make_playlist(listener)
    assert mine.get("/playlists/?page=99").status_code == 200
    assert mine.get("/playlists/?page=nonsense").status_code == 200


def test_a_guest_makes_an_account_and_keeps_everything(mine, listener, make_playlist):
    playlist = make_playlist(listener)
    secret = "a quiet river at dusk"
    answer = mine.post("/account/", {"username": "ada", "password1": secret, "password2": secret})
    assert answer.status_code == 302
    listener.refresh_from_db()
    assert not listener.is_guest
    mine.post("/logout/")
    assert mine.login(username="ada", password=secret)
    assert mine.get(f"/playlists/{playlist.pk}/").status_code == 200


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"username": "taken", "password1": "a quiet river", "password2": "a quiet river"}, "Somebody has this name"),
        ({"username": "TAKEN", "password1": "a quiet river", "password2": "a quiet river"}, "Somebody has this name"),
        ({"username": "ada", "password1": "a quiet river", "password2": "a loud river"}, "not the same"),
        ({"username": "ada", "password1": "short", "password2": "short"}, "too short"),
        ({"username": "a b", "password1": "a quiet river", "password2": "a quiet river"}, "valid username"),
        ({}, "required"),
    ],
)
def test_an_account_that_cannot_be_made_says_why(mine, listener, fields, expected):
    User.objects.create_user("taken", password="somebody else's")
    answer = mine.post("/account/", fields)
    assert answer.status_code == 400
    assert expected in answer.content.decode()
    listener.refresh_from_db()
    assert listener.is_guest


def test_an_account_cannot_be_taken_over_by_filling_the_form_again(mine, listener):
    secret = "a quiet river at dusk"
    mine.post("/account/", {"username": "ada", "password1": secret, "password2": secret})
    mine.post("/account/", {"username": "eve", "password1": secret, "password2": secret})
    assert User.objects.filter(username="ada").exists()
    assert not User.objects.filter(username="eve").exists()


def test_health_says_who_is_there(client):
    for address in ("/healthz", "/readyz"):
        answer = client.get(address)
        assert answer.status_code == 200
        told = {name: answer.json()[name] for name in ("database", "broker", "conductor", "players")}
        assert told == {"database": True, "broker": True, "conductor": 0, "players": 0}


def test_what_does_not_exist_is_not_found(client):
    assert client.get("/nothing/here/").status_code == 404
