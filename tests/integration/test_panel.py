"""The staff panel's pages and actions: making, starting, steering, opening and deleting experiments."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.html import escape

from evolution import config, runs
from evolution.models import Experiment, Round, Run
from laboratory import drafts, experiments, places, reference_users
from listening import listeners, trials
from listening.models import Listener, User

pytestmark = pytest.mark.django_db

SMALL = """\
epochs: 2
evolution:
  exp_name: small
  generations: 2
  duration: 1
  search:
    mode: prompt GA
    population_size: 4
"""


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_user("ada", is_staff=True))
    return client


@pytest.fixture
def made() -> Experiment:
    return experiments.create(SMALL, author="ada")


def post_text(staff: Client, text: str, **more: object):
    return staff.post("/laboratory/new/", {"way": "text", "text": text, "make": "", **more})


def sound(seconds: float = 1.5, *, level: float = 0.3) -> bytes:
    file = io.BytesIO()
    samples = level * np.sin(np.arange(int(22_050 * seconds)) * 0.06)
    soundfile.write(file, samples.astype("float32"), 22_050, format="WAV")
    return file.getvalue()


def shown_text(content: str) -> str:
    """What stands in the page's text area, as a browser would send it."""
    match = re.search(r'<textarea name="text"[^>]*>\n(.*?)</textarea>', content, re.DOTALL)
    assert match
    return html.unescape(match[1])


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


# a new experiment


def test_pasted_text_becomes_an_experiment(staff):
    answer = post_text(staff, SMALL, name="First try", note="To see.")
    assert (answer.status_code, answer["Location"]) == (302, "/laboratory/experiments/first-try/")
    experiment = Experiment.objects.get()
    assert (experiment.author, experiment.note) == ("ada", "To see.")
    assert experiment.configuration["evolution"]["search"]["population_size"] == 4
    assert "Nobody listens to it yet" in staff.get(answer["Location"]).content.decode()


def test_a_name_that_is_taken_gets_a_number(staff, made):
    assert post_text(staff, SMALL)["Location"] == "/laboratory/experiments/small-2/"


def test_faults_stand_under_their_lines_and_the_text_stays(staff):
    text = SMALL.replace("population_size: 4", "popluation_size: 4").replace("generations: 2", "generations: none")
    answer = post_text(staff, text)
    content = answer.content.decode()
    assert answer.status_code == 400
    assert not Experiment.objects.exists()
    assert "2 faults" in content
    for number, words in ((4, "evolution.generations"), (8, "population_size")):
        line = re.search(rf'<li id="line-{number}"(.*?)</li>', content, re.DOTALL)
        assert line
        assert f'aria-describedby="fault-{number}"' in line[1]
        assert words in line[1]
    assert content.count("autofocus") == 1
    assert re.search(r'<li id="line-4"[^>]*autofocus', content)
    assert shown_text(content) == text


def test_text_that_is_no_yaml_is_told_with_its_line(staff):
    content = post_text(staff, "epochs: 2\nevolution: [\n").content.decode()
    assert "expected YAML" in content
    assert not Experiment.objects.exists()


def test_an_empty_text_is_told(staff):
    answer = post_text(staff, "")
    assert answer.status_code == 400
    assert "required" in answer.content.decode()


def test_markup_in_a_text_is_shown_as_text(staff):
    content = post_text(staff, "epochs: <script>alert(1)</script>\n").content.decode()
    assert "<script>alert" not in content


def test_checking_makes_nothing(staff):
    answer = staff.post("/laboratory/new/", {"way": "text", "text": SMALL, "check": ""})
    assert "Nothing is wrong with it" in answer.content.decode()
    assert not Experiment.objects.exists()


@pytest.mark.parametrize("name", [example.name for example in drafts.examples()])
def test_an_example_opens_as_text_and_is_valid_or_says_which_file_it_lacks(staff, name):
    content = staff.get(f"/laboratory/new/?way=text&example={name}").content.decode()
    example = drafts.example(name)
    assert example
    assert shown_text(content) == example.text
    lacks_a_sound_of_ones_own = name == "fitness-music"
    if lacks_a_sound_of_ones_own:
        with pytest.raises(config.ConfigurationError, match="target_music"):
            drafts.check(example.text)
    else:
        assert drafts.check(example.text).evolution.exp_name


def test_the_examples_are_listed_with_what_they_are_for(staff):
    content = staff.get("/laboratory/new/").content.decode()
    assert drafts.examples()
    for example in drafts.examples():
        assert f"example={example.name}" in content
        assert example.head
        assert escape(example.head) in content


def test_an_example_that_does_not_exist_is_not_found(staff):
    assert staff.get("/laboratory/new/?way=text&example=../pyproject").status_code == 404


SETTINGS = {
    "way": "settings",
    "name": "by form",
    "mode": "GA",
    "fitness": "user",
    "noise_weight": "0.5",
    "epochs": "2",
    "generations": "3",
    "population_size": "6",
    "elites": "0.2",
    "best_solutions": "4",
    "music_model": "soundfont",
    "input_type": "",
    "duration": "1",
    "best_duration": "2",
    "initialization": "",
    "api_uri": "http://localhost:11434/v1",
    "model": "m",
    "api_key": "LLM_API_KEY",
    "temperature": "0.7",
}


def test_settings_become_a_text_and_the_text_an_experiment(staff):
    answer = staff.post("/laboratory/new/", SETTINGS)
    content = answer.content.decode()
    assert answer.status_code == 200
    assert "Nothing is wrong with it" in content
    text = shown_text(content)
    assert post_text(staff, text, name="by form").status_code == 302
    made = experiments.configuration(Experiment.objects.get(name="by-form"))
    assert (made.epochs, made.evolution.generations, made.evolution.search.population_size) == (2, 3, 6)
    assert (made.evolution.search.mode, made.evolution.fitness.mode, made.evolution.LLM) == ("GA", "user", None)


def test_settings_that_contradict_each_other_show_it_in_the_text(staff):
    answer = staff.post("/laboratory/new/", SETTINGS | {"input_type": "text"})
    assert answer.status_code == 400
    assert "input_type" in answer.content.decode()


def test_settings_name_the_key_of_a_language_model_and_never_hold_it(staff):
    content = staff.post("/laboratory/new/", SETTINGS | {"mode": "LLM evolve"}).content.decode()
    assert "api_key: ${LLM_API_KEY}" in shown_text(content)
    content = staff.post(
        "/laboratory/new/", SETTINGS | {"mode": "LLM evolve", "api_key": "sk-a1b2c3d4e5"}
    ).content.decode()
    assert "sk-a1b2c3d4e5" not in content
    assert "name of an environment variable" in content


def test_settings_that_are_no_numbers_are_told_at_their_fields(staff):
    answer = staff.post("/laboratory/new/", SETTINGS | {"population_size": "1", "epochs": "many"})
    content = answer.content.decode()
    assert answer.status_code == 400
    assert 'id="id_population_size_error"' in content
    assert 'id="id_epochs_error"' in content


def test_a_clone_begins_with_the_old_text_and_says_the_same(staff, made):
    content = staff.get("/laboratory/new/?way=text&clone=small").content.decode()
    answer = post_text(staff, shown_text(content), name="again")
    assert answer.status_code == 302
    assert Experiment.objects.get(name="again").configuration == made.configuration


# secrets


@pytest.mark.parametrize(
    "text",
    [
        "evolution:\n  LLM:\n    api_key: sk-verysecret123\n    model: m\n",
        'evolution: {LLM: {api_key: "sk-verysecret123", model: m}}\n',
        "evolution:\n  LLM:\n    api_key: >\n      sk-verysecret123\n    model: m\n",
        "evolution: [\n  LLM:\n    api_key: sk-verysecret123\n",
        "evolution: [\n  LLM:\n    api_key: >-\n      sk-verysecret123\n    model: m\n",
        "evolution: [\n  LLM:\n    api_key:\n      sk-verysecret123\n    model: m\n",
    ],
)
def test_a_key_written_out_is_refused_and_never_shown_again(staff, text):
    answer = post_text(staff, text)
    content = answer.content.decode()
    assert answer.status_code == 400
    assert "sk-verysecret123" not in content
    assert "replaced by a reference" in content
    assert "api_key" in shown_text(content)
    assert not Experiment.objects.exists()


def test_a_text_that_is_no_yaml_keeps_what_is_no_secret():
    text = "evolution: [\n  LLM:\n    api_key:\n    model: m\n    wandb_token: ${MY_TOKEN}\n"
    assert drafts.without_secrets(text) == (text, False)


def test_the_site_s_own_secret_cannot_be_referred_to(staff):
    content = post_text(staff, "evolution:\n  LLM:\n    api_key: ${SECRET_KEY}\n").content.decode()
    assert "without SECRET" in content
    assert not Experiment.objects.exists()


def test_a_key_that_is_not_set_is_a_warning(staff, monkeypatch):
    text = "evolution:\n  LLM:\n    api_key: ${PANEL_TEST_API_KEY}\n  search:\n    mode: full LLM\n"
    check = {"way": "text", "text": text, "check": ""}
    assert "PANEL_TEST_API_KEY} is not set" in staff.post("/laboratory/new/", check).content.decode()
    monkeypatch.setenv("PANEL_TEST_API_KEY", "something")
    assert "is not set" not in staff.post("/laboratory/new/", check).content.decode()


# files


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../secret.txt", "prompts/../manage.py", "uploads/../../secret_key", "var/secret_key", "~/x"],
)
def test_a_text_may_not_name_other_files_of_the_server(staff, path):
    text = f"evolution:\n  initialization: file\n  init_file: {path}\n"
    content = post_text(staff, text).content.decode()
    assert not Experiment.objects.exists()
    assert path in content
    assert places.ALLOWED in content
    assert re.search(r'<li id="line-3"[^>]*line-wrong', content)


def test_a_link_out_of_the_allowed_folders_is_not_followed(settings, tmp_path):
    settings.BASE_DIR = tmp_path
    (tmp_path / "secret.txt").write_text("one\ntwo\n")
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "pool.txt").symlink_to(tmp_path / "secret.txt")
    text = "evolution:\n  initialization: file\n  init_file: prompts/pool.txt\n"
    with pytest.raises(config.ConfigurationError, match="expected a file in prompts/"):
        drafts.check(text)


def test_the_weights_of_a_generator_cannot_be_a_path(staff):
    content = post_text(staff, "music_generator:\n  model: /etc\n").content.decode()
    assert "expected a name such as" in content


def test_an_uploaded_target_is_kept_and_named_in_the_text(staff, media):
    upload = SimpleUploadedFile("my tune.wav", sound(), content_type="audio/wav")
    answer = post_text(staff, "fitness:\n  mode: music\n", name="tune", target_music=upload)
    assert answer.status_code == 302, answer.content.decode()
    kept = Path(Experiment.objects.get().configuration["evolution"]["fitness"]["target_music"])
    assert kept.is_file()
    assert kept.parent == media / "targets"
    assert "target_music: uploads/" in staff.get("/laboratory/experiments/tune/").content.decode()


def test_an_upload_survives_a_fault_elsewhere(staff):
    upload = SimpleUploadedFile("tune.wav", sound(), content_type="audio/wav")
    content = post_text(staff, "epochs: no\nfitness:\n  mode: music\n", target_music=upload).content.decode()
    text = shown_text(content)
    assert "target_music: uploads/" in text
    assert post_text(staff, text.replace("epochs: no", "epochs: 1"), name="tune").status_code == 302


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"this is no music", "expected audio"),
        (b"", "empty"),
        (sound(0.2), "expected 1 to 600 seconds"),
        (sound(level=0.0), "got silence"),
    ],
)
def test_a_target_that_cannot_be_one_says_why(staff, media, content, expected):
    upload = SimpleUploadedFile("tune.wav", content, content_type="audio/wav")
    answer = post_text(staff, SMALL, target_music=upload)
    assert answer.status_code == 400
    assert expected in answer.content.decode()
    assert str(media) not in answer.content.decode()
    assert not Experiment.objects.exists()


def test_a_request_that_is_too_large_is_refused_before_it_is_read(staff):
    answer = staff.generic(
        "POST", "/laboratory/new/", b"", content_type="multipart/form-data; boundary=x", CONTENT_LENGTH=60 * 1024 * 1024
    )
    assert answer.status_code == 413
    assert "at most 50 MB" in answer.content.decode()


def test_pasted_prompts_are_kept_with_the_experiment(staff):
    lines = "\n".join(f"calm piano number {number}" for number in range(6))
    answer = post_text(staff, SMALL, prompts_text=f"# mine\n{lines}\n\n")
    assert answer.status_code == 302, answer.content.decode()
    made = Experiment.objects.get()
    assert made.prompts == lines.splitlines()
    assert made.configuration["evolution"]["initialization"] == "file"


def test_too_few_prompts_are_told_with_both_numbers(staff):
    upload = SimpleUploadedFile("mine.txt", b"one\ntwo\n", content_type="text/plain")
    content = post_text(staff, SMALL, prompts_file=upload).content.decode()
    assert "expected at least 4 prompts" in content
    assert "got 2" in content
    assert not Experiment.objects.exists()


@pytest.mark.parametrize("content", [b"\xff\xfe\x00bad", b"# nothing but this\n", b""])
def test_prompts_that_are_no_text_or_none_are_told(staff, content):
    upload = SimpleUploadedFile("mine.txt", content, content_type="text/plain")
    answer = post_text(staff, SMALL, prompts_file=upload)
    assert answer.status_code == 400
    assert "one prompt a line" in answer.content.decode() or "empty" in answer.content.decode()
    assert not Experiment.objects.exists()


def test_the_text_keeps_its_comments_when_an_upload_is_named_in_it():
    text = "fitness:   # what is liked\n  mode: music\n  target_music: old.wav  # mine\n"
    assert drafts.with_target(text, "uploads/new.wav") == text.replace("old.wav", "uploads/new.wav")
    assert config.parse_text(drafts.with_target("epochs: 2\n", "uploads/a.wav")).evolution.fitness.mode == "music"
    both = drafts.with_prompts(SMALL, "uploads/p.txt")
    assert config.parse_text(both).evolution.init_file == "uploads/p.txt"


# instruments


def test_a_generator_that_is_not_installed_is_refused(staff):
    content = post_text(staff, "music_model: ace-step\n").content.decode()
    assert "expected a generator that is installed" in content


def test_music_longer_than_the_generator_plays_is_refused(staff):
    content = post_text(staff, "evolution:\n  best_duration: 601\n").content.decode()
    assert "expected at most 600 s for soundfont, got 601" in content


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
