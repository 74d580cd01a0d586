"""Who guesses passwords is locked out by address, and one address makes so many guests and no more."""

from __future__ import annotations

import pytest
import redis
from axes.models import AccessAttempt
from django.test import RequestFactory

from listening import visitors
from listening.models import Listener, User

pytestmark = pytest.mark.django_db

PASSWORD = "a quiet river at dusk"
STRANGER = "203.0.113.7"


@pytest.fixture(autouse=True)
def fresh(redis_url, settings):
    settings.AXES_FAILURE_LIMIT = 3
    settings.GUESTS_PER_HOUR = 2
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()


@pytest.fixture
def ada():
    return User.objects.create_user("ada", password=PASSWORD)


def log_in(client, name: str, password: str, *, comes_from: str = STRANGER, at: str = "/login/"):
    return client.post(at, {"username": name, "password": password}, REMOTE_ADDR=comes_from)


def test_guessing_ends_with_a_page_that_says_so(client, ada):
    for guess in ("one", "two"):
        assert log_in(client, "ada", guess).status_code == 200
    answer = log_in(client, "ada", "three")
    assert answer.status_code == 429
    assert answer["Retry-After"] == "900"
    assert "Wait 15 minutes" in answer.content.decode()
    assert log_in(client, "ada", PASSWORD).status_code == 429
    assert log_in(client, "ada", PASSWORD, comes_from="198.51.100.1").status_code == 302


def test_the_admin_s_door_counts_too(client, ada):
    for _ in range(3):
        answer = log_in(client, "ada", "guess", at="/admin/login/")
    assert answer.status_code == 429


def test_names_tried_one_after_another_count_together(client):
    statuses = [log_in(client, f"name{number}", "guess").status_code for number in range(4)]
    assert statuses == [200, 200, 429, 429]


def test_a_good_login_between_guesses_does_not_begin_the_count_again(client, ada):
    User.objects.create_user("eve", password=PASSWORD)
    log_in(client, "ada", "one")
    log_in(client, "ada", "two")
    assert log_in(client, "eve", PASSWORD).status_code == 302
    client.logout()
    assert log_in(client, "ada", "three").status_code == 429


def test_no_answer_tells_whether_there_is_such_a_name(client, ada):
    def words(answer) -> str:
        return answer.content.decode().replace("nobody", "NAME").replace("ada", "NAME").split("<main")[1]

    def without_token(text: str) -> str:
        import re

        return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text)

    for step in range(3):
        known, unknown = "198.51.100.1", "198.51.100.2"
        one = log_in(client, "ada", "guess", comes_from=known)
        other = log_in(client, "nobody", "guess", comes_from=unknown)
        assert one.status_code == other.status_code, step
        assert without_token(words(one)) == without_token(words(other))


def test_no_password_is_kept(client, ada):
    log_in(client, "ada", "my other password")
    kept = AccessAttempt.objects.values().get()
    assert "my other password" not in str(kept)


def test_an_address_makes_so_many_guests_an_hour(client):
    for _ in range(2):
        assert client.post("/start/", REMOTE_ADDR=STRANGER).status_code == 302
        client.cookies.clear()
    answer = client.post("/start/", REMOTE_ADDR=STRANGER)
    assert answer.status_code == 429
    assert "Too many people have started from here" in answer.content.decode()
    assert client.post("/start/", REMOTE_ADDR="198.51.100.1").status_code == 302
    assert Listener.objects.count() == 3


def test_an_invitation_is_no_way_around_it(client, listener):
    from listening import duets

    invitations = [duets.token(duets.make(host=listener)) for _ in range(3)]
    statuses = []
    for invitation in invitations:
        client.cookies.clear()
        statuses.append(client.post(f"/duets/join/{invitation}/", REMOTE_ADDR=STRANGER).status_code)
    assert statuses == [302, 302, 429]


def test_this_machine_is_not_counted(client):
    for _ in range(4):
        assert client.post("/start/").status_code == 302
        client.cookies.clear()


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "198.51.100.1", STRANGER),  # nobody vouches for what is written there
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "10.0.0.1, 198.51.100.1", "198.51.100.1"),  # the left one was written by whoever asks
        (2, "10.0.0.1, 198.51.100.1, 192.0.2.1", "198.51.100.1"),
        (2, "198.51.100.1", STRANGER),  # came past the outer proxy
        (1, "", visitors.NOWHERE),
        (1, "nonsense", visitors.NOWHERE),
        (1, "2001:db8:1:2:aaaa::1", "2001:db8:1:2::"),
        (1, "::ffff:198.51.100.1", "198.51.100.1"),
    ],
)
def test_the_address_is_what_the_outermost_trusted_proxy_saw(settings, proxies, forwarded, expected):
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR=STRANGER, headers={"X-Forwarded-For": forwarded})
    assert visitors.address(request) == expected
