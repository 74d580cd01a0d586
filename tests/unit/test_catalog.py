"""The catalog finds instruments by name and builds each once."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
import torch

from evomusic_site.environment import ROOT
from models_store import catalog
from models_store.audio import Audio
from models_store.encoders.base import AudioEncoder
from models_store.generators.base import MusicGenerator, TokenVocabulary
from models_store.instruments import Entry
from models_store.weights import MissingWeightsError
from tests.random_models import mert

PRETRAINED = [entry for entry in catalog.describe() if entry.weights]


def test_importing_the_catalog_and_its_words_imports_no_torch() -> None:
    code = (
        "import sys; from models_store import catalog; catalog.describe(); catalog.lexicon('soundfont');"
        "print([name for name in ('torch', 'numpy', 'torchaudio') if name in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


@pytest.mark.parametrize("entry", catalog.describe(), ids=lambda entry: entry.name)
def test_every_entry_says_what_its_instrument_is(entry: Entry) -> None:
    instrument = (catalog.build_generator if entry.kind == "generator" else catalog.build_encoder)(entry.name)
    assert (instrument.name, instrument.sample_rate) == (entry.name, entry.sample_rate)
    assert entry.licence
    if entry.kind == "generator":
        assert isinstance(instrument, MusicGenerator)
        assert instrument.genome_kinds == entry.genome_kinds
        assert instrument.longest_seconds == entry.longest_seconds
        assert instrument.licence == entry.licence
    else:
        assert isinstance(instrument, AudioEncoder)


@pytest.mark.parametrize("entry", PRETRAINED, ids=lambda entry: entry.name)
def test_what_has_no_weights_here_says_which_how_large_which_licence_and_how_to_get_them(
    entry: Entry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    ask = catalog.generator if entry.kind == "generator" else catalog.encoder
    with pytest.raises(MissingWeightsError) as refused:
        ask(entry.name)
    assert entry.default_model is not None
    for told in (entry.default_model, f"{entry.weights[0].gigabytes:g} GB", entry.licence, "manage.py fetch_models"):
        assert told in str(refused.value)


def test_a_device_that_is_not_here_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of this machine, got 'cuda:77'"):
        catalog.generator("musicgen", device="cuda:77")


def test_the_same_name_and_parameters_give_the_same_instance() -> None:
    assert catalog.encoder("spectral") is catalog.encoder("spectral")
    assert catalog.generator("soundfont") is catalog.generator("soundfont")
    other = catalog.generator("soundfont", sample_rate=22_050)
    assert other is not catalog.generator("soundfont")
    assert other is catalog.generator("soundfont", sample_rate=22_050)


def test_threads_that_ask_at_once_get_the_same_instance() -> None:
    catalog.forget()
    found: list[AudioEncoder] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        found.append(catalog.encoder("spectral"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({id(encoder) for encoder in found}) == 1


def test_what_was_forgotten_is_built_again() -> None:
    before = catalog.encoder("spectral")
    catalog.forget()
    assert catalog.encoder("spectral") is not before


def test_no_more_than_two_with_weights_are_held_and_what_was_asked_for_last_stays(tmp_path: Path) -> None:
    catalog.forget()
    folder = str(mert.write(tmp_path / "ear"))
    copies = [str(shutil.copytree(folder, tmp_path / f"ear {number}")) for number in range(3)]
    first, second = (catalog.encoder("mert", model=copy) for copy in copies[:2])
    assert catalog.encoder("mert", model=copies[0]) is first
    assert catalog.encoder("mert", model=copies[0], device="cpu") is first  # where it is anyway
    catalog.encoder("mert", model=copies[2])
    assert catalog.encoder("mert", model=copies[0]) is first
    sound = Audio(torch.zeros(1, 1, 24_000), 24_000)
    with pytest.raises(RuntimeError, match="prepare"):
        second.encode(sound)  # its memory was given back
    assert catalog.encoder("mert", model=copies[1]) is not second
    assert catalog.encoder("spectral") is catalog.encoder("spectral")
    catalog.forget()


def test_an_instrument_is_ready_to_play() -> None:
    sound = catalog.generator("soundfont").generate(["calm jazz"], seconds=0.5, seeds=[1])
    assert catalog.encoder("spectral").encode(sound).shape == (1, 8, 64)


@pytest.mark.parametrize("name", ["soundfonts", "SoundFont", "sound-font"])
def test_an_unknown_name_is_told_the_nearest(name: str) -> None:
    for ask in (catalog.generator, catalog.lexicon, partial(catalog.prompt_space, input_type="text")):
        with pytest.raises(ValueError, match=r"unknown generator .* expected one of soundfont.*mean 'soundfont'"):
            ask(name)


def test_a_name_of_the_other_kind_is_unknown() -> None:
    with pytest.raises(ValueError, match="unknown encoder 'soundfont': expected one of spectral"):
        catalog.encoder("soundfont")


def test_a_parameter_that_is_not_taken_is_refused_and_nothing_is_kept() -> None:
    with pytest.raises(ValueError, match=r"soundfont: .*'speed'; its parameters: .*sample_rate"):
        catalog.generator("soundfont", speed=2)
    with pytest.raises(ValueError, match="sample_rate"):
        catalog.generator("soundfont", sample_rate=1)
    assert catalog.generator("soundfont").sample_rate > 1


def test_the_vocabulary_embeds_the_words_of_the_lexicon() -> None:
    vocabulary = catalog.prompt_space("soundfont", input_type="token_embeddings")
    assert isinstance(vocabulary, TokenVocabulary)
    assert vocabulary is catalog.prompt_space("soundfont", input_type="token_embeddings", soundfont_path="any")
    assert catalog.prompt_space("soundfont", input_type="text") is None
    with pytest.raises(ValueError, match="soundfont: expected text or token_embeddings, which it plays"):
        catalog.prompt_space("soundfont", input_type="embeddings")
    genre = catalog.lexicon("soundfont")["genre"][0]
    embedded = vocabulary.embed([genre], length=2)
    assert embedded.shape[:2] == (1, 2)
    assert genre in vocabulary.nearest(embedded)[0]


@pytest.mark.parametrize("entry", PRETRAINED, ids=lambda entry: entry.name)
def test_the_page_about_neural_sound_tells_what_the_table_tells(entry: Entry) -> None:
    rows = (ROOT / "docs/neural.md").read_text(encoding="utf-8").splitlines()
    row = next(row for row in rows if row.startswith(f"| `{entry.name}` |"))
    told = [f"{entry.weights[0].model}, {entry.weights[0].gigabytes:g} GB", entry.licence, f"{entry.sample_rate:,}"]
    told += [entry.plays, f"{entry.longest_seconds:g} s"] if entry.kind == "generator" else []
    assert all(part in row for part in told), row
