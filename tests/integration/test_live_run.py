"""A run's page, the comparison, the family tree: who may see them, what they show, what they are told as it happens."""

from __future__ import annotations

import csv
import io
import random
import re
import uuid

import pytest
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.test import Client
from django.urls import reverse
from kombu.exceptions import OperationalError

from evolution import events, genomes, runs
from evolution.models import Candidate, Generation, Recording, Round, Run
from evolution.takes import Take
from evomusic_site.asgi import application
from laboratory import hearing, population
from listening.models import Listener, User
from tests.integration import small_runs

HEADERS = [(b"origin", b"http://localhost"), (b"host", b"localhost")]


def staff_client(**options: object) -> Client:
    user = User.objects.create_user(f"staff-{uuid.uuid4().hex[:6]}", password="x", is_staff=True)
    client = Client(**options)
    client.force_login(user)
    return client


@pytest.fixture
def staff(db: None) -> Client:
    return staff_client()


def candidate_of(run: Run, position: int = 2) -> Candidate:
    return Candidate.objects.get(generation=population.generation(run, None), position=position)


def addresses(run: Run) -> list[str]:
    one = candidate_of(run).pk
    return [
        reverse("laboratory:run", args=[run.pk]),
        reverse("laboratory:run_data", args=[run.pk]),
        reverse("laboratory:run_export", args=[run.pk, "csv"]),
        reverse("laboratory:compare"),
        reverse("laboratory:compare_export", args=["json"]),
        reverse("laboratory:candidate", args=[one]),
        reverse("laboratory:candidate_audio", args=[one]),
    ]


@pytest.mark.django_db
def test_who_is_not_logged_in_is_asked_to_and_who_is_not_staff_finds_nothing(client):
    run = small_runs.make(rounds=1).run
    hear = reverse("laboratory:hear", args=[candidate_of(run).pk])
    for address in addresses(run):
        assert client.get(address).headers["Location"].startswith("/login/?next=/laboratory/")
    assert client.post(hear).status_code == 302
    client.force_login(User.objects.create_user("guest"))
    assert {client.get(address).status_code for address in addresses(run)} == {404}
    assert client.post(hear).status_code == 404


@pytest.mark.django_db
def test_pages_have_no_script_and_no_style_of_their_own(staff):
    run = small_runs.make(rounds=1).run
    for address in (*addresses(run)[::5], f"{reverse('laboratory:compare')}?run={run.pk}"):
        page = staff.get(address).content.decode()
        assert "style=" not in page
        assert not re.search(r"<script(?![^>]*(src=|application/json))", page)
        assert not re.search(r"\son\w+=", page)


@pytest.mark.django_db
def test_a_run_s_page_takes_the_same_queries_however_large_the_run(staff, django_assert_max_num_queries):
    small, large = small_runs.make(name="one", rounds=1), small_runs.make(name="two", rounds=3, population=40, seed=1)
    for listener in (small, large):
        with django_assert_max_num_queries(14):
            assert staff.get(reverse("laboratory:run", args=[listener.run_id])).status_code == 200


@pytest.mark.django_db
def test_a_run_without_a_generation_has_a_page(staff):
    run = small_runs.make(rounds=0).run
    page = staff.get(reverse("laboratory:run", args=[run.pk]))
    assert "There is no generation yet." in page.content.decode()
    assert staff.get(reverse("laboratory:run_data", args=[run.pk])).json()["generations"] == []
    assert staff.get(reverse("laboratory:run_data", args=[run.pk]), {"generation": ""}).json() == {"candidates": []}
    assert staff.get(reverse("laboratory:compare"), {"run": run.pk}).status_code == 200


@pytest.mark.django_db
def test_why_a_run_failed_is_on_its_page(staff):
    run = small_runs.make(rounds=1).run
    runs.fail(run, "The endpoint <refused> the key.")
    page = staff.get(reverse("laboratory:run", args=[run.pk])).content.decode()
    assert "The endpoint &lt;refused&gt; the key." in page


@pytest.mark.django_db
def test_a_generation_s_table_is_sorted_and_turned_page_by_page(staff):
    run = small_runs.make(rounds=1, generations=2, population=30).run
    address = reverse("laboratory:run", args=[run.pk])
    first = Generation.objects.filter(round__run=run).order_by("number")[0]
    asked = {"generation": first.pk, "order": "position", "part": "population"}
    page = staff.get(address, asked).content.decode()
    assert "<html" not in page
    assert re.findall(r'data-position="(\d+)"', page) == [str(place) for place in range(25)]
    rest = staff.get(address, {**asked, "page": 2}).content.decode()
    assert re.findall(r'data-position="(\d+)"', rest) == [str(place) for place in range(25, 30)]
    newest = staff.get(address, {"part": "population"}).content.decode()
    best = max(Candidate.objects.filter(generation__number=2), key=lambda one: one.fitness)
    assert re.findall(r'data-position="(\d+)"', newest)[0] == str(best.position)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query", ["order=genome", "generation=x", "generation=²", f"generation={'9' * 5000}", "generation=-1", "order="]
)
def test_an_address_that_makes_no_sense_leads_nowhere(staff, query):
    run = small_runs.make(rounds=1).run
    assert staff.get(f"{reverse('laboratory:run', args=[run.pk])}?{query}").status_code == 404


@pytest.mark.django_db
def test_another_run_s_generation_is_not_shown(staff):
    mine, other = small_runs.make(name="one", rounds=1), small_runs.make(name="two", rounds=1, seed=1)
    theirs = population.generation(other.run, None)
    asked = {"generation": theirs.pk}
    for name in ("laboratory:run", "laboratory:run_data"):
        assert staff.get(reverse(name, args=[mine.run_id]), asked).status_code == 404
    assert staff.get(reverse("laboratory:run", args=[2**63])).status_code == 404


@pytest.mark.django_db
def test_candidates_are_described_with_seeds_that_a_browser_does_not_round(staff):
    run = small_runs.make(rounds=1).run
    chosen = population.generation(run, None)
    answer = staff.get(reverse("laboratory:run_data", args=[run.pk]), {"generation": chosen.pk}).json()
    second = answer["candidates"][2]
    assert (second["position"], second["seed"], second["parents"]) == (2, str(2**62 + 2), [1, 3])
    assert second["operators"] == ["crossover", "mutation"]
    assert second["hear_url"] == reverse("laboratory:hear", args=[second["id"]])


@pytest.mark.django_db
def test_a_run_can_be_taken_along_as_csv_and_json(staff):
    run = small_runs.make(rounds=2, generations=3, population=6).run
    answer = staff.get(reverse("laboratory:run_export", args=[run.pk, "csv"]))
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert f'filename="run-{run.pk}-history.csv"' in answer.headers["Content-Disposition"]
    history = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [(row["round"], row["generation"]) for row in history][-1] == ("2", "3")
    every = staff.get(reverse("laboratory:run_export", args=[run.pk, "csv"]), {"table": "candidates"}).content.decode()
    assert len(list(csv.DictReader(io.StringIO(every)))) == 36
    whole = staff.get(reverse("laboratory:run_export", args=[run.pk, "json"])).json()
    assert (len(whole["history"]), len(whole["candidates"]), whole["result"]["generations"]) == (6, 36, 6)
    assert float(history[-1]["best"]) == whole["history"][-1]["best"]
    assert staff.get(reverse("laboratory:run_export", args=[run.pk, "xml"])).status_code == 404
    assert staff.get(reverse("laboratory:run_export", args=[run.pk, "csv"]), {"table": "x"}).status_code == 404


@pytest.mark.django_db
def test_runs_are_compared_side_by_side_and_the_table_can_be_taken_along(staff):
    one, two = small_runs.make(name="one", rounds=1), small_runs.make(name="two", seed=1, rounds=2)
    query = {"run": [one.run_id, two.run_id], "experiment": "two", "order": "-best"}
    page = staff.get(reverse("laboratory:compare"), query).content.decode()
    assert re.search(r'aria-sort="descending"><a[^>]*>Best<', page)
    assert f"run={one.run_id}&amp;run={two.run_id}&amp;experiment=two&amp;order=" in page
    text = staff.get(reverse("laboratory:compare_export", args=["csv"]), query).content.decode()
    table = list(csv.DictReader(io.StringIO(text)))
    best = [float(row["best"]) for row in table]
    assert len(table) == 3
    assert best == sorted(best, reverse=True)
    assert table[0]["mode"] == "prompt GA"
    curves = staff.get(reverse("laboratory:compare_export", args=["json"]), query).json()["curves"]
    assert [curve["label"] for curve in curves] == ["two", str(one.run), str(two.run)]


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["run=abc", f"run={'9' * 5000}", "experiment=%00", "experiment=none", "run=-1"])
def test_a_comparison_leaves_out_what_there_is_not(staff, query):
    page = staff.get(f"{reverse('laboratory:compare')}?{query}")
    assert page.status_code == 200
    assert "Side by side" not in page.content.decode()


@pytest.mark.django_db
def test_a_comparison_by_an_unknown_column_is_not_there(staff):
    assert staff.get(reverse("laboratory:compare"), {"order": "url"}).status_code == 404


@pytest.mark.django_db
def test_a_candidate_s_page_shows_its_family(staff):
    run = small_runs.make(rounds=1, generations=4).run
    page = staff.get(reverse("laboratory:candidate", args=[candidate_of(run).pk])).content.decode()
    assert page.count('class="family-edge"') >= 3
    assert "kept for 1 generation" in page
    assert "made by crossover, mutation" in page
    assert page.count("data-hear-form") > 3
    assert staff.get(reverse("laboratory:candidate", args=[uuid.uuid4()])).status_code == 404


@pytest.mark.django_db
def test_hearing_needs_a_token(rf):
    client = staff_client(enforce_csrf_checks=True)
    one = candidate_of(small_runs.make(rounds=1).run)
    assert client.post(reverse("laboratory:hear", args=[one.pk])).status_code == 403


@pytest.mark.django_db
def test_without_a_broker_it_is_said_that_nothing_can_be_played(staff, monkeypatch):
    class Away:
        """What Celery is like once its own tries have failed, which takes it six seconds."""

        def send_task(self, *_: object, **__: object) -> None:
            raise OperationalError("Error 111 connecting to 127.0.0.1:1. Connection refused.")

    monkeypatch.setattr(hearing, "current_app", Away())
    one = candidate_of(small_runs.make(rounds=1).run)
    address = reverse("laboratory:hear", args=[one.pk])
    answer = staff.post(address, headers={"Accept": "application/json"})
    assert answer.status_code == 503
    assert answer.json()["error"] == "It cannot be played now: the broker does not answer."
    form = staff.post(address, follow=True)
    assert "the broker does not answer" in form.content.decode()


def socket(session: str, run_id: int, query: str = "") -> WebsocketCommunicator:
    cookie = [(b"cookie", f"sessionid={session}".encode())] if session else []
    return WebsocketCommunicator(application, f"/ws/laboratory/runs/{run_id}/{query}", headers=[*HEADERS, *cookie])


@database_sync_to_async
def seated(*, is_staff: bool = True, **run: object) -> tuple[Listener, str]:
    """A run, and the session of somebody who wants to see it."""
    user = User.objects.create_user(f"somebody-{uuid.uuid4().hex[:6]}", is_staff=is_staff)
    client = Client()
    client.force_login(user)
    return small_runs.make(**run), client.cookies["sessionid"].value


@pytest.mark.django_db(transaction=True)
async def test_a_page_gets_the_whole_state_then_each_generation_as_it_is_stored():
    listener, session = await seated(rounds=1, generations=2)
    one = socket(session, listener.run_id)
    assert (await one.connect())[0]
    state = await one.receive_json_from()
    assert (state["type"], len(state["generations"]), state["totals"]["generations"]) == ("state", 2, 2)

    def evolve() -> Generation:
        round_ = small_runs.make_round(listener, 2, generations=2, status=Round.Status.EVOLVING)
        stored = small_runs.add_generation(round_, 1, population=5, luck=random.Random(1))
        events.generation_stored(stored)
        return stored

    stored = await database_sync_to_async(evolve)()
    told = await one.receive_json_from()
    assert told["type"] == "generation"
    (generation,) = told["generations"]
    assert (generation["id"], generation["index"], len(generation["points"]["fitness"])) == (stored.pk, 3, 5)
    assert (told["progress"]["round"], told["progress"]["generation"]) == (2, 1)
    await one.disconnect()


@pytest.mark.django_db(transaction=True)
async def test_pausing_and_failing_reach_the_page_and_nobody_else_s():
    listener, session = await seated(rounds=1)
    other, theirs = await seated(name="other", rounds=1, seed=1)
    one, two = socket(session, listener.run_id), socket(theirs, other.run_id)
    for each in (one, two):
        await each.connect()
        await each.receive_json_from()
    await database_sync_to_async(runs.pause)(listener.run)
    assert (await one.receive_json_from())["run"]["status"] == "paused"
    await database_sync_to_async(runs.fail)(listener.run, "No key.")
    told = await one.receive_json_from()
    assert (told["type"], told["run"]["status"], told["run"]["message"]) == ("pulse", "failed", "No key.")
    assert await two.receive_nothing()
    await one.disconnect()
    await two.disconnect()


@pytest.mark.django_db(transaction=True)
async def test_a_page_that_asks_is_answered_and_nonsense_does_not_end_the_connection():
    listener, session = await seated(rounds=1)
    one = socket(session, listener.run_id)
    await one.connect()
    await one.receive_json_from()
    for message in (" ", "[]", "5", '{"type": "dance"}', '{"type": ["state"]}', "x" * 2000, "[" * 900):
        await one.send_to(text_data=message)
        assert (await one.receive_json_from())["type"] == "error"
    await one.send_to(bytes_data=b"\x00\xff")
    assert (await one.receive_json_from())["type"] == "error"
    await one.send_json_to({"type": "pulse"})
    assert "generations" not in await one.receive_json_from()
    await one.send_json_to({"type": "state"})
    assert len((await one.receive_json_from())["generations"]) == 3
    await one.disconnect()


@pytest.mark.django_db(transaction=True)
async def test_only_staff_and_only_existing_runs_have_a_socket():
    listener, session = await seated(rounds=0)
    _, guest = await seated(name="two", rounds=0, is_staff=False)
    for one in (
        socket("", listener.run_id),
        socket(guest, listener.run_id),
        socket(session, 10**6),
        socket(session, 10**30),
    ):
        await one.connect()
        closed = await one.receive_output()
        assert (closed["type"], closed["code"]) == ("websocket.close", 4401)
        await one.disconnect()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", [{"is_staff": False}, {"is_active": False}])
@pytest.mark.parametrize("query", ["", "?only=heard"])
async def test_who_is_dismissed_is_told_nothing_more(change, query):
    listener, session = await seated(rounds=1)
    one = socket(session, listener.run_id, query)
    await one.connect()
    if not query:
        await one.receive_json_from()
    await database_sync_to_async(lambda: User.objects.filter(is_staff=True).update(**change))()
    if query:
        ready = {"type": "candidate.ready", "run": listener.run_id, "candidate": "c"}
        await sync_to_async(events.send)(events.group(listener.run_id), ready)
    else:
        await database_sync_to_async(runs.pause)(listener.run)
    closed = await one.receive_output()
    assert (closed["type"], closed["code"]) == ("websocket.close", 4401)
    await one.disconnect()


@pytest.mark.django_db(transaction=True)
async def test_a_page_that_only_wants_to_hear_is_told_nothing_else():
    listener, session = await seated(rounds=1)
    one = socket(session, listener.run_id, "?only=heard")
    await one.connect()
    await database_sync_to_async(runs.pause)(listener.run)
    assert await one.receive_nothing(timeout=0.3)
    ready = {"type": "candidate.ready", "run": listener.run_id, "candidate": "c"}
    await sync_to_async(events.send)(events.group(listener.run_id), ready)
    assert await one.receive_json_from() == ready
    await one.disconnect()


@pytest.mark.django_db(transaction=True)
async def test_a_candidate_without_a_player_is_given_up_and_that_is_told(monkeypatch):
    monkeypatch.setattr(hearing, "PATIENCE", 0.1)
    listener, session = await seated(rounds=1)
    one = socket(session, listener.run_id, "?only=heard")
    await one.connect()
    candidate = await database_sync_to_async(candidate_of)(listener.run)
    await database_sync_to_async(hearing.record)(candidate.pk)
    told = await one.receive_json_from(timeout=5)
    assert (told["type"], told["candidate"]) == ("candidate.failed", str(candidate.pk))
    assert told["message"] == "no player is up."
    await one.disconnect()


async def test_a_candidate_is_played_once_and_heard_by_those_who_watch(workers):
    listener, session = await seated(rounds=1)
    one = socket(session, listener.run_id)
    await one.connect()
    await one.receive_json_from()
    candidate = await database_sync_to_async(candidate_of)(listener.run)
    client = await database_sync_to_async(staff_client)()
    address = reverse("laboratory:hear", args=[candidate.pk])
    post = database_sync_to_async(lambda: client.post(address, headers={"Accept": "application/json"}))
    asked = (await post()).json()
    assert (asked["status"], asked["message"]) == ("asked", "It is being played.")
    told = await one.receive_json_from(timeout=30)
    assert (told["type"], told["candidate"], told["seconds"]) == ("candidate.ready", str(candidate.pk), 2.0)
    audio = await database_sync_to_async(client.get)(told["audio_url"], headers={"Range": "bytes=0-99"})
    assert (audio.status_code, audio.headers["Content-Type"], len(audio.content)) == (206, "audio/mpeg", 100)
    again = (await post()).json()
    assert (again["status"], again["audio_url"]) == ("ready", told["audio_url"])

    def keys() -> tuple[str, list[str]]:
        take = Take(genome=genomes.from_json(candidate.genome), seed=candidate.seed, seconds=2.0)
        return take.key(runs.instruments(listener.run)), list(Recording.objects.values_list("pk", flat=True))

    key, stored = await database_sync_to_async(keys)()
    assert stored == [key]  # the one that a playlist with this candidate would use too
    await one.disconnect()
