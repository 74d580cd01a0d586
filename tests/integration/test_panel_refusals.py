"""What the panel neither shows again nor makes: secrets, control characters, experiments that cannot run, old paths."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from evolution import config, runs
from evolution.models import Experiment, Run
from laboratory import drafts, experiments, places
from listening import trials
from tests.integration.panel import post_text, shown_text
from tests.unit.test_config_redaction import BROKEN, PLAIN, VALID

pytestmark = pytest.mark.django_db

SMALL = "evolution:\n  exp_name: small\n  search:\n    mode: prompt GA\n    population_size: 4\n"
VECTORS = "evolution:\n  search:\n    mode: SNES\n    population_size: 8\n"


# secrets


@pytest.mark.parametrize("text", [*VALID, *BROKEN])
def test_a_secret_is_neither_shown_again_nor_kept_wherever_it_was_written(staff, text):
    answer = post_text(staff, text)
    content = answer.content.decode()
    assert answer.status_code == 400
    assert PLAIN not in content
    assert "0123456789" not in content
    assert "replaced by a reference" in content
    assert not Experiment.objects.exists()


def test_the_settings_do_not_show_a_secret_of_an_address_again(staff):
    asked = {"way": "settings", "name": "n", "mode": "LLM evolve", "api_uri": f"https://u:{PLAIN}@h/v1"}
    content = staff.post("/laboratory/new/", asked).content.decode()
    assert PLAIN not in content
    assert 'id="id_api_uri_error"' in content
    assert "without user, password or key" in content


# control characters


@pytest.mark.parametrize(
    "text",
    [
        'evolution: {exp_name: "a\\0b"}\n',
        'evolution: {LLM: {}}\nsearch: {mode: full LLM, full_LLM_prompt: "{ranking} {num_generate} \\0"}\n',
        'evolution: {exp_name: "a\\ud800b"}\n',
    ],
)
def test_a_character_that_no_database_takes_is_a_fault_of_its_line(staff, text):
    answer = post_text(staff, text)
    assert answer.status_code == 400
    assert "without control characters" in answer.content.decode()
    assert not Experiment.objects.exists()


@pytest.mark.parametrize("field", ["name", "note", "text", "prompts_text"])
def test_a_field_with_a_null_is_told(staff, field):
    answer = post_text(staff, **{"text": SMALL, field: f"{SMALL}\0"})
    assert answer.status_code == 400
    assert "Null characters are not allowed" in answer.content.decode()
    assert not Experiment.objects.exists()


@pytest.mark.parametrize("character", [b"\0", b"\x01"])
def test_prompts_with_a_control_character_are_told(staff, character):
    upload = SimpleUploadedFile("mine.txt", b"one\ntwo\nthree\nfo" + character + b"ur\n", content_type="text/plain")
    answer = post_text(staff, SMALL, prompts_file=upload)
    assert answer.status_code == 400
    assert not Experiment.objects.exists()


def test_an_address_with_a_null_finds_nothing(staff):
    experiments.create(SMALL)
    index = staff.get("/laboratory/?search=sm%00all")
    assert index.status_code == 200
    assert "/laboratory/experiments/small/" not in index.content.decode()
    assert staff.get("/laboratory/new/?way=text&clone=sm%00all").status_code == 404
    assert staff.get("/laboratory/new/?way=text&example=a%00b").status_code == 404


# what cannot run


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{VECTORS}    subspace: 5000\n", "expected at most 2000, got 5000"),
        (f"{VECTORS}    subspace: 1500\n", "the number of directions in which prompts differ, got 1500"),
        (f"{VECTORS}    evotorch: {{stdev_init: x}}\n", "stdev_init: expected a number"),
        (f"{VECTORS.replace('SNES', 'PGPE').replace('8', '7')}    elites: 0\n", "expected an even number for PGPE"),
        (
            VECTORS.replace("SNES", "GA") + "    GA_operators: [{name: GaussianMutation, parameters: {stdev: x}}]\n",
            "stdev: expected a number",
        ),
        ("evolution: {duration: 0.01}\n", "duration: expected at least 0.5, got 0.01"),
    ],
)
def test_an_experiment_that_cannot_run_is_not_made(staff, text, expected):
    content = re.sub(r"</?b>", "", html.unescape(post_text(staff, text).content.decode()))
    assert expected in content
    assert not Experiment.objects.exists()


def test_pasted_prompts_that_say_the_same_are_too_few(staff):
    content = post_text(staff, SMALL, prompts_text="Calm Piano\n" * 3 + "calm  piano\nloud drums\n").content.decode()
    assert "expected at least 4 different prompts" in content
    assert "got 2" in content
    assert not Experiment.objects.exists()


def test_what_the_panel_says_of_a_subspace_is_what_the_search_says():
    from evolution.search import subspace
    from models_store import catalog

    for length in (1, 4, 12):
        text = f"evolution:\n  max_seq_len: {length}\n  search:\n    mode: SNES\n    subspace: 1999\n"
        with pytest.raises(config.ConfigurationError) as refused:
            drafts.check(text)
        told = int(re.search(r"at most (\d+), the number of directions", str(refused.value))[1])
        vocabulary = catalog.prompt_space("soundfont", input_type="token_embeddings")
        pool = vocabulary.embed(config.read_prompts("prompts/pool.txt"), length=length)
        with pytest.raises(ValueError, match=r"expected at most \d+") as limit:
            subspace.PrincipalSubspace(pool, directions=10_000)
        true = int(re.search(r"at most (\d+)", str(limit.value))[1])
        assert told == true


# clones


def from_a_command(tmp_path: Path, **more: object) -> Experiment:
    """An experiment as `evolve` makes it: absolute paths of this machine, and the prompts beside it."""
    file = tmp_path / "mine.txt"
    file.write_text("one\ntwo\nthree\nfour\n")
    given = config.parse_text(f"{SMALL}  initialization: file\n  init_file: {file}\n")
    given = config.parse({**config.dump(given), **more})
    return runs.create(given, name="commanded", prompts=config.read_prompts(file), author="evolve")


def test_a_command_s_experiment_can_be_cloned_with_its_prompts(staff, tmp_path):
    old = from_a_command(tmp_path)
    (tmp_path / "mine.txt").unlink()
    content = staff.get("/laboratory/new/?way=text&clone=commanded").content.decode()
    assert str(tmp_path) not in content
    assert "init_file: uploads/" in shown_text(content)
    answer = post_text(staff, shown_text(content), name="again")
    assert answer.status_code == 302, answer.content.decode()
    assert Experiment.objects.get(name="again").prompts == old.prompts


def test_a_clone_leaves_out_the_files_that_a_page_may_not_name_and_says_so(staff, tmp_path):
    elsewhere = {"user_model": {"aligner": {"abs_file_path": "/srv/secret/mine.pt"}}}
    from_a_command(tmp_path, **elsewhere, music_generator={"model": "/srv/secret/weights"})
    content = staff.get("/laboratory/new/?way=text&clone=commanded").content.decode()
    assert "/srv/secret" not in content
    assert "user_model.aligner.abs_file_path was left out: mine.pt is not" in content
    assert "music_generator.model was left out: weights is" in content
    assert post_text(staff, shown_text(content), name="again").status_code == 302


def test_a_clone_names_a_file_of_the_project_as_long_as_it_says_the_same(staff):
    made = experiments.create(f"{SMALL}  initialization: file\n  init_file: prompts/handwritten.txt\n")
    text, notes = places.cloned(experiments.configuration(made), prompts=made.prompts)
    assert "init_file: prompts/handwritten.txt" in text
    assert notes == []
    text, _ = places.cloned(experiments.configuration(made), prompts=made.prompts[:-1])
    assert "init_file: uploads/" in text


# what a command works on


def test_a_command_s_run_is_paused_here_and_resumed_there(staff):
    made = experiments.create(SMALL)
    theirs = trials.begin(made, reference_user=0, seed=1, conductor=Run.Conductor.COMMAND).run
    ours = trials.begin(made, reference_user=1, seed=1).run
    for run in (theirs, ours):
        staff.post(f"/laboratory/runs/{run.pk}/pause/")
    for address in ("/laboratory/experiments/small/", f"/laboratory/runs/{theirs.pk}/"):
        content = staff.get(address).content.decode()
        assert "worked on by a command" in content
        assert f"/laboratory/runs/{theirs.pk}/resume/" not in content
        assert "manage.py evolve --resume" in content
    content = staff.post(f"/laboratory/runs/{theirs.pk}/resume/", follow=True).content.decode()
    assert "goes on with manage.py evolve --resume --out" in content
    staff.post("/laboratory/experiments/small/resume-all/")
    theirs.refresh_from_db()
    ours.refresh_from_db()
    assert (theirs.status, ours.status) == ("paused", "running")


def test_it_is_said_that_only_a_command_keeps_sounds(staff):
    experiments.create(f"{SMALL}  logger: {{delete_generated: false}}\n", name="keeps")
    experiments.create(SMALL, name="drops")
    assert "runs that are begun here keep none" in staff.get("/laboratory/experiments/keeps/").content.decode()
    assert "runs that are begun here keep none" not in staff.get("/laboratory/experiments/drops/").content.decode()
