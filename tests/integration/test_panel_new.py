"""Making experiments in the staff panel: from texts, settings and files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.html import escape

from evolution import config
from evolution.models import Experiment
from laboratory import drafts, experiments, places
from tests.integration.panel import SMALL, post_text, shown_text, sound

pytestmark = pytest.mark.django_db


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


LACKING = {
    "fitness-music": "target_music",  # a sound of one's own
    **dict.fromkeys(("musicgen", "musicgen-tokens", "riffusion"), "abs_file_path: expected an aligner for mert"),
}


@pytest.mark.parametrize("name", [example.name for example in drafts.examples()])
def test_an_example_opens_as_text_and_is_valid_or_says_which_file_it_lacks(staff, name):
    content = staff.get(f"/laboratory/new/?way=text&example={name}").content.decode()
    example = drafts.example(name)
    assert example
    assert shown_text(content) == example.text
    lacks = LACKING.get(name)
    if lacks:
        with pytest.raises(config.ConfigurationError, match=lacks):
            drafts.check(example.text)
    else:
        drafts.check(example.text)


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
    "music_encoder": "spectral",
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


@pytest.mark.parametrize("section", ["music_generator", "riffusion_pipeline", "encoder"])
@pytest.mark.parametrize("model", ["/etc", "../../etc", "~/x", "models_store/taste", "a", "a/b/c"])
def test_the_weights_of_an_instrument_cannot_be_a_folder_of_the_server(staff, section, model):
    content = post_text(staff, f"{section}:\n  model: {model}\n").content.decode()
    assert "expected a name on the hub such as facebook/musicgen-small" in content
    assert not Experiment.objects.exists()


def test_an_ear_that_no_aligner_knows_is_refused(staff):
    content = post_text(staff, "music_encoder: clap\n").content.decode()
    assert "expected an aligner for clap, of which none is here" in content


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


def test_what_a_generator_cannot_play_is_refused(staff):
    content = post_text(staff, "music_model: ace-step\nsearch:\n  mode: SNES\n").content.decode()
    assert "expected text, which ace-step plays, got token_embeddings" in content


def test_settings_choose_a_generator_its_weights_and_the_ear(staff):
    chosen = {"mode": "SNES", "music_model": "riffusion", "generator_model": "a/b", "inference_steps": "20"}
    ears = {"music_encoder": "clap", "encoder_model": "c/d", "aligner": "aligner/spectral.pt"}
    text = shown_text(staff.post("/laboratory/new/", SETTINGS | chosen | ears).content.decode())
    assert "riffusion_pipeline:\n  model: a/b\n  inference_steps: 20\n" in text
    assert "music_encoder: clap\nencoder:\n  model: c/d\n" in text
    assert "abs_file_path: aligner/spectral.pt" in text


def test_the_settings_tell_what_each_instrument_can_do_and_its_licence(staff):
    content = staff.get("/laboratory/new/?way=settings").content.decode()
    for told in ("facebook/musicgen-small", "text, token_embeddings, embeddings", "CC-BY-NC 4.0", "fetch_models"):
        assert told in content


def test_music_longer_than_the_generator_plays_is_refused(staff):
    content = post_text(staff, "evolution:\n  best_duration: 601\n").content.decode()
    assert "expected at most the 600 s that soundfont can play, got 601" in content
