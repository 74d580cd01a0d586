"""What pages and scripts are sent, made up at random: told what is wrong, never an error of ours."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models_store.generators.soundfont import reading
from tests.integration import access_world
from tests.integration.panel import post_text

pytestmark = pytest.mark.django_db

LEAKS = re.compile(r"Traceback|/site-packages/|File \"|SECRET_KEY|psycopg|/tmp/|/home/|/root/")

briefly = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([10**400, -(10**400), 2**63, 1e308]))
TEXTS = st.one_of(
    st.text(max_size=30), st.sampled_from(["\0", "lean", "forget", "like", "0001-01-01T00:00:00Z", "NaN"])
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["id", "track", "value", "seconds", "given_at", "never", "ending", "kind", "concept", "wanted", "fairness"]
)
BODIES = st.one_of(
    st.dictionaries(FIELDS, VALUES, max_size=8).map(json.dumps), VALUES.map(json.dumps), st.text(max_size=50)
)


@pytest.fixture
def world(make_playlist, redis_url):
    return access_world.make(make_playlist)


def checked(answer, allowed: range = range(200, 500)) -> None:
    assert answer.status_code in allowed, answer.content[:300]
    assert not LEAKS.search(answer.content.decode("utf-8", "replace"))


@briefly
@given(body=BODIES, known=st.booleans())
def test_ratings_hearings_edits_and_fairness_take_any_body(world, body, known):
    browser = world.client("owner")
    if known and body.startswith("{"):
        body = json.dumps({**json.loads(body), "track": world.arguments["track_id"]})
    addresses = ["ratings/", "listens/", "taste/edits/", f"duets/{world.arguments['duet_id']}/fairness/"]
    addresses.append(f"taste/tracks/{world.arguments['track_id']}/forget/")
    for address in addresses:
        content = body.encode("utf-8", "surrogatepass")
        checked(browser.post(f"/api/{address}", content, content_type="application/json"))


@briefly
@given(fields=st.dictionaries(st.sampled_from(["username", "password", "password1", "password2", "next"]), TEXTS))
def test_the_forms_of_strangers_take_any_field(world, fields):
    for address in ("/login/?next=//evil.example", "/account/", "/start/"):
        answer = world.client("guest").post(address, fields)
        checked(answer)
        assert not answer.headers.get("Location", "/").startswith("//")


@briefly
@given(text=st.text(max_size=200), name=TEXTS, prompts=st.text(max_size=200))
def test_the_laboratory_s_form_takes_any_text(world, text, name, prompts):
    checked(post_text(world.client("superuser"), text, name=name, prompts_text=prompts, note=name))


@briefly
@given(search=TEXTS, page=TEXTS, order=TEXTS, clone=TEXTS)
def test_addresses_take_any_query(world, search, page, order, clone):
    asked = {"search": search, "page": page, "order": order, "clone": clone, "way": "text", "run": page}
    run = world.arguments["run_id"]
    for address in ("", "new/", "compare/", f"runs/{run}/"):
        checked(world.client("superuser").get(f"/laboratory/{address}", asked))
    checked(world.client("owner").get("/playlists/", asked))


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(
        st.text(max_size=300),
        st.lists(st.sampled_from(["jazz", "fast", "120", "bpm", "in", "c#", "-", "999999999999"])).map(" ".join),
    )
)
def test_any_text_is_read_as_a_prompt_or_told_to_hold_no_words(prompt):
    try:
        tokens = reading.tokens(prompt)
    except ValueError as error:
        assert str(error).startswith("prompt: expected")  # noqa: PT017 - either is right
    else:
        assert all(isinstance(token, str) for token in tokens)


def test_a_page_of_a_made_up_address_tells_nothing(world):
    for address in (
        "/%00/",
        "/playlists/../../etc/passwd",
        "/static/../.env",
        "/tracks/" + "9" * 4000 + "/audio",
        "/%ff",
    ):
        answer = Client(raise_request_exception=False).get(address)
        assert answer.status_code in (301, 400, 404), address
        assert not LEAKS.search(answer.content.decode("utf-8", "replace"))
