"""The files that a configuration points to, and the examples."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evolution import config
from evolution.config import ConfigurationError, reference
from evolution.search.answers import folded
from models_store import catalog

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def starting_from(path: object, *, population: int = 3) -> config.Configuration:
    return config.parse(
        {
            "evolution": {"initialization": "file", "init_file": str(path)},
            "search": {"population_size": population, "elites": 0.4},
        }
    )


def test_a_path_is_relative_to_its_file_then_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, here = tmp_path / "beside", tmp_path / "here"
    beside.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    (beside / "both.txt").touch()
    (here / "both.txt").touch()
    (here / "target.wav").touch()
    (beside / "experiment.yaml").write_text(
        "evolution: {initialization: file, init_file: both.txt}\nfitness: {mode: music, target_music: target.wav}\n"
        "user_model: {aligner: {abs_file_path: nowhere.pt}}\n"
    )
    read = config.load(Path("../beside/experiment.yaml"))
    assert read.evolution.init_file == str(here / ".." / "beside" / "both.txt")
    assert read.evolution.fitness.target_music == str(here / "target.wav")
    assert Path(read.user_model.aligner.abs_file_path or "").resolve() == beside / "nowhere.pt"
    assert Path(read.user_model.aligner.abs_file_path or "").is_absolute()


def test_reading_a_configuration_opens_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "experiment.yaml").write_text("evolution: {initialization: file, init_file: prompts.txt}")
    (tmp_path / "prompts.txt").mkdir()
    assert config.load(tmp_path / "experiment.yaml").evolution.init_file == str(tmp_path / "prompts.txt")


def test_prompts_are_the_lines_that_are_neither_blank_nor_comments(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_bytes("\ufeff# ours\r\n  slow   jazz \r\n\r\nbossa nova\n   # not this\nfado".encode())
    assert config.read_prompts(file) == ("slow jazz", "bossa nova", "fado")
    config.check_files(starting_from(file))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "expected a readable file of prompts (No such file or directory)"),
        (b"", "expected one prompt a line, got none"),
        (b"# nothing\n\n", "expected one prompt a line, got none"),
        (b"\xff\xd8\xff\xe0 a photograph", "expected a text in UTF-8"),
        (b"RIFF\x00\x00\x00\x00WAVE", "expected a text in UTF-8"),
        (b"jazz\nfado\x01\nbossa\n", "expected plain text, got a control character on line 2"),
        (b"Jazz\njazz\n  JAZZ \nfado\n", "expected at least 3 different prompts, one for each candidate, got 2"),
        (b"jazz\nfado\n", "too short: expected at least 3 prompts, one for each candidate, got 2"),
    ],
)
def test_an_unusable_file_of_prompts_is_told(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "prompts.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        config.check_files(starting_from(file))
    (fault,) = refused.value.faults
    assert fault.path == "evolution.init_file"
    assert f"{file}: {message}" in fault.message


def test_lines_are_different_when_the_search_says_so(tmp_path: Path) -> None:
    lines = ["Stra\u00dfe", "STRASSE", "a  b", "A b", "c"]
    different = {folded(line) for line in lines}
    (tmp_path / "prompts.txt").write_text("\n".join(lines), encoding="utf-8")
    config.check_files(starting_from(tmp_path / "prompts.txt", population=len(different)))
    with pytest.raises(ConfigurationError, match="got 3"):
        config.check_files(starting_from(tmp_path / "prompts.txt", population=len(different) + 1))


def test_a_target_and_a_checkpoint_are_files_with_something_in_them(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()

    def told(target: Path, checkpoint: Path) -> str:
        with pytest.raises(ConfigurationError) as refused:
            config.check_files(
                config.parse(
                    {
                        "fitness": {"mode": "music", "target_music": str(target)},
                        "user_model": {"aligner": {"abs_file_path": str(checkpoint)}},
                    }
                )
            )
        return str(refused.value)

    assert "target_music: expected an audio file, got" in told(tmp_path / "absent.wav", tmp_path)
    assert told(tmp_path / "empty.wav", tmp_path).splitlines() == [
        f"evolution.fitness.target_music: expected an audio file, got {tmp_path / 'empty.wav'}, which is empty",
        f"user_model.aligner.abs_file_path: expected a checkpoint, got {tmp_path}, which is no file",
    ]


def test_files_that_are_not_used_are_not_looked_at() -> None:
    config.check_files(config.parse({"fitness": {"mode": "user", "target_music": "nowhere.wav"}}))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_example_is_a_configuration_and_only_neural_ones_need_weights(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    read = config.parse_text(text, allow_literal_secrets=False)
    assert read.music_model == next((name for name in ("musicgen", "riffusion") if name in file.stem), "soundfont")
    assert text.startswith("# ")
    assert read.evolution.exp_name == file.stem
    if read.evolution.init_file is not None:
        assert read.evolution.init_file in ("prompts/handwritten.txt", "prompts/pool.txt")
        absolute = str(ROOT / read.evolution.init_file)
        evolution = read.evolution.model_copy(update={"init_file": absolute})
        # Without the aligner: those that know neural ears are made or fetched.
        config.check_files(read.model_copy(update={"evolution": evolution, "user_model": config.UserModel()}))


def test_the_examples_show_every_search_every_fitness_and_every_kind_of_genome() -> None:
    read = [config.load(file) for file in EXAMPLES]
    schema = config.Configuration.model_json_schema()["$defs"]
    assert {each.evolution.search.mode for each in read} == set(schema["Search"]["properties"]["mode"]["enum"])
    assert {each.evolution.fitness.mode for each in read} == {"user", "music", "dynamic"}
    assert {each.input_type for each in read} == {"text", "token_embeddings", "embeddings"}
    assert all(f"({file.name})" in (ROOT / "examples/README.md").read_text(encoding="utf-8") for file in EXAMPLES)


def test_the_schema_knows_every_generator_and_encoder_of_the_catalog() -> None:
    for entry in catalog.describe():
        config.parse({"music_model" if entry.kind == "generator" else "music_encoder": entry.name})


def test_the_page_about_the_configuration_is_the_one_that_the_schema_makes() -> None:
    written = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert written == reference.markdown(), "run: python -m evolution.config > docs/configuration.md"


def test_the_page_is_printed_by_a_command_without_torch() -> None:
    code = (
        "import runpy, sys; runpy.run_module('evolution.config', run_name='__main__'); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.startswith("# Configuration")
    for section in (config.Search, config.LanguageModel, config.Logger, config.User, config.MusicGenerator):
        for name, described in section.model_fields.items():
            assert described.description
            assert f"| `{name}` |" in done.stdout
