"""Concepts: words for what is heard, songs that have it, read-outs, a map, a file."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
import torch

from models_store import checkpoints, prompts
from models_store.aligner import concept_pool, concept_words, readouts, shipped, training, world
from models_store.aligner.concepts import Concepts
from models_store.generators.soundfont.vocabulary import LEXICON
from models_store.generators.soundfont.words import MOODS, SETTINGS, TEMPOS
from tests.unit import small_world


@lru_cache(maxsize=1)
def known() -> Concepts:
    return Concepts.load_for("spectral")


@lru_cache(maxsize=1)
def small() -> Concepts:
    return concept_pool.concepts(small_world.songs(), seed=1, pool=120)


def test_the_shipped_concepts_are_what_listeners_say_and_small() -> None:
    assert {"strings", "piano", "slow", "fast", "bright", "dark", "jazz", "calm", "a minor key"} <= set(known().names)
    assert {"genre", "mood", "instruments", "tempo", "key", "sound"} <= set(known().slots)
    assert int(known().has.sum(dim=1).min()) >= concept_pool.LEAST
    assert int(known().lacks.sum(dim=1).min()) >= concept_pool.LEAST
    assert shipped.concepts_beside(shipped.path_of("spectral")).stat().st_size < 1_000_000


def test_the_shipped_concepts_fit_the_shipped_aligner() -> None:
    config = shipped.load_for("spectral").config

    assert tuple(known().embeddings.shape[1:]) == (config.layers, config.dim)


def test_a_concept_is_asked_for_with_songs_that_have_it_and_songs_that_have_not() -> None:
    edit = known().edit("strings", wanted=0.5, weight=3.0)
    place = known().index("strings")

    assert (edit.name, edit.wanted, edit.weight) == ("strings", 0.5, 3.0)
    assert torch.equal(edit.present, known().embeddings[known().has[place]])
    assert torch.equal(edit.absent, known().embeddings[known().lacks[place]])
    slow = known().index("slow")  # many prompts say nothing of the tempo
    assert int(known().has[slow].sum() + known().lacks[slow].sum()) < len(known().embeddings)
    assert len(known().edit("slow", wanted=0.5, weight=3.0).absent) == int(known().lacks[slow].sum())
    with pytest.raises(ValueError, match=r"expected one of .*strings.*; got 'stirngs'"):
        known().edit("stirngs", wanted=0.5, weight=1.0)


def test_songs_of_the_pool_are_on_the_map_and_bright_and_lively_ones_where_they_shall_be() -> None:
    places = known().place(known().embeddings)

    assert float((places.abs() <= 1.0).float().mean()) > 0.95
    assert float(places.std(dim=0).min()) > 0.25
    mean = {
        name: places[known().has[known().index(name)]].mean(dim=0) for name in ("bright", "dark", "lively", "smooth")
    }
    assert mean["bright"][0] > mean["dark"][0]
    assert mean["lively"][1] > mean["smooth"][1]


def test_songs_of_another_encoder_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Concepts.place: expected \[N, 8, 64\], got \(3, 2, 12\)"):
        known().place(torch.zeros(3, 2, 12))
    with pytest.raises(ValueError, match=r"Concepts.presence: expected \[N, 8, 64\]"):
        known().presence(torch.zeros(3, 2, 12))


def test_concepts_come_back_from_a_file_as_they_were(tmp_path: Path) -> None:
    small().save(tmp_path / "small.concepts.pt")

    again = Concepts.load(tmp_path / "small.concepts.pt")

    assert (again.names, again.slots) == (small().names, small().slots)
    for table in ("embeddings", "has", "lacks", "readouts", "audible", "centre", "axes"):
        assert torch.equal(getattr(again, table), getattr(small(), table)), table


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"has": torch.ones(1, 3, dtype=torch.bool)}, "Concepts.has: expected"),
        ({"axes": torch.full((2, 24), torch.nan)}, "Concepts.axes: expected finite numbers"),
        ({"has": torch.zeros(0)}, "Concepts.has: expected"),
        ({"embeddings": torch.zeros(120, 24)}, r"expected songs \[S, layers, dim\]"),
    ],
)
def test_a_file_with_tables_that_do_not_fit_is_refused(
    tmp_path: Path, broken: dict[str, torch.Tensor], told: str
) -> None:
    small().save(tmp_path / "broken.pt")
    kept = checkpoints.load(tmp_path / "broken.pt")
    checkpoints.save(tmp_path / "broken.pt", weights={**kept.weights, **broken}, config=kept.config)

    with pytest.raises(ValueError, match=rf"broken\.pt: .*{told}"):
        Concepts.load(tmp_path / "broken.pt")


def test_an_aligner_is_no_concepts_and_an_encoder_without_any_is_named() -> None:
    with pytest.raises(ValueError, match="expected concepts that train_aligner wrote"):
        Concepts.load(shipped.path_of("spectral"))
    with pytest.raises(ValueError, match="no checkpoint is shipped for the encoder 'mert' \\(there are: spectral\\)"):
        Concepts.load_for("mert")


def test_a_name_twice_or_a_song_both_ways_is_refused() -> None:
    with pytest.raises(ValueError, match="expected different names"):
        replace(small(), names=(small().names[0],) * len(small()))
    with pytest.raises(ValueError, match="got both"):
        replace(small(), lacks=small().lacks | small().has)


def test_rare_concepts_have_songs_enough_and_the_pool_is_drawn_with_a_seed() -> None:
    songs = small_world.songs()

    assert len(small().embeddings) == 120
    assert int(small().has.sum(dim=1).min()) >= concept_pool.LEAST
    again, other = (concept_pool.concepts(songs, seed=seed, pool=120) for seed in (1, 2))
    assert torch.equal(again.embeddings, small().embeddings)
    assert not torch.equal(other.embeddings, small().embeddings)


def test_a_word_that_hardly_any_song_has_is_still_told_by_some() -> None:
    songs = small_world.songs()
    rare = torch.arange(len(songs)) % 33 == 5
    words, table = songs.said["genre"]
    said = {**songs.said, "genre": ((*words, "rare"), torch.cat([table, rare[:, None]], dim=1))}
    heard = songs.embeddings.clone()
    heard[rare, 0, 0] += 12.0

    found = concept_pool.concepts(replace(songs, embeddings=heard, said=said), seed=1, pool=120)

    assert int(rare.sum()) == 12
    assert int(found.has[found.index("rare")].sum()) >= concept_pool.LEAST


def test_the_map_is_turned_so_that_brighter_is_right_and_livelier_is_up() -> None:
    songs = small_world.songs()
    mirrored = concept_pool.concepts(replace(songs, descriptors=-songs.descriptors), seed=1, pool=120)

    torch.testing.assert_close(mirrored.axes, -small().axes)


def test_a_few_songs_have_no_concepts() -> None:
    whole = small_world.songs()
    said = {slot: (words, table[:10]) for slot, (words, table) in whole.said.items()}
    few = world.Songs(whole.prompts[:10], whole.embeddings[:10], whole.descriptors[:10], said)

    with pytest.raises(concept_pool.TooFewSongsError, match="got none in 10 songs"):
        concept_pool.concepts(few, seed=1)


def test_what_is_heard_is_found_in_new_songs_and_what_cannot_be_heard_is_not_said_to_be() -> None:
    songs, new = small_world.songs(), small_world.songs(300, seed=77)
    table = songs.said["genre"][1].T  # [6, N]
    deaf = torch.rand(6, len(songs), generator=torch.Generator().manual_seed(0)) < 0.15
    has = torch.cat([table, deaf])

    learned = readouts.fit(songs.embeddings, has, ~has)

    assert learned.audible.tolist() == [True] * 6 + [False] * 6
    heard = readouts.read(learned.weights[:6], new.embeddings)
    fresh = training.user_aucs(heard, new.said["genre"][1].T)
    torch.testing.assert_close(fresh, learned.aucs[:6], atol=0.06, rtol=0)
    right = new.said["genre"][1].T[heard > 0].float().mean()
    assert float(right) > readouts.TRUSTED - 0.1


def test_the_predictions_of_songs_left_out_are_those_of_fitting_without_them() -> None:
    generator = torch.Generator().manual_seed(4)
    songs = torch.randn(30, 1, 5, generator=generator)
    has = (songs[:, 0, 0] + 0.5 * torch.randn(30, generator=generator) > 0)[None]
    learned = readouts.fit(songs, has, ~has)

    flat = songs.flatten(1).double()
    features = (flat - flat.mean(dim=0)) / flat.std(dim=0, correction=0)
    design = torch.cat([features, torch.ones(30, 1, dtype=torch.float64)], dim=1)
    penalty = torch.diag(torch.tensor([5.0] * 5 + [0.0], dtype=torch.float64))
    blind = []
    for out in range(30):
        kept = torch.arange(30) != out
        gram = design[kept].T @ design[kept] + penalty
        blind.append(float(design[out] @ torch.linalg.solve(gram, design[kept].T @ has[0, kept].double())))
    expected = training.user_aucs(torch.tensor(blind)[None], has)
    assert float(learned.aucs[0]) == pytest.approx(float(expected[0]), abs=1e-6)


def test_words_are_joined_only_where_the_generator_does_nearly_the_same() -> None:
    for effects, groups in ((MOODS, concept_words.MOODS), (SETTINGS, concept_words.SETTINGS)):
        table = torch.tensor([tuple(effect) for effect in effects.values()])
        usual = float(torch.pdist(table).median())
        for name, words in groups.items():
            inside = torch.pdist(torch.tensor([tuple(effects[word]) for word in words]))
            assert float(inside.max()) < usual, name


def test_every_joined_word_is_one_of_the_lexicon_and_in_one_group() -> None:
    for slot, groups in (
        ("mood", concept_words.MOODS),
        ("setting", concept_words.SETTINGS),
        ("instruments", concept_words.INSTRUMENTS),
        ("tempo", concept_words.TEMPOS),
    ):
        words = [word for group in groups.values() for word in group]
        assert set(words) <= set(LEXICON[slot])
        assert len(set(words)) == len(words)


@pytest.mark.parametrize("word", TEMPOS)
def test_a_tempo_in_words_is_what_its_beats_are(word: str) -> None:
    assert concept_words.concept("tempo", word) == concept_words.concept("tempo", f"{TEMPOS[word]} bpm")


def test_a_prompt_names_its_concepts() -> None:
    prompt = prompts.parse(
        "peaceful jazz with viola and rhodes piano and tuba, 72 bpm, in d minor, underwater", LEXICON
    )

    assert {"calm", "jazz", "violin", "brass", "slow", "a minor key", "in space"} <= concept_words.said(prompt)
    assert concept_words.said(prompts.StructuredPrompt()) == frozenset()
    assert concept_words.said(prompts.StructuredPrompt(mood="bright", key="e dorian")) == frozenset()
