"""The checkpoint that is shipped: it fits the embedded generator and encoder as they are now."""

from __future__ import annotations

from functools import lru_cache

import torch

from models_store import checkpoints
from models_store.aligner import shipped, training, world
from models_store.aligner.listeners import KINDS
from models_store.aligner.model import AlignerV2
from models_store.encoders.spectral import SpectralEncoder
from models_store.generators.soundfont.generator import SoundFontGenerator
from models_store.generators.soundfont.vocabulary import LEXICON
from models_store.taste.base import reference_taste
from models_store.taste.infonce import InfoNCE
from models_store.taste.memory import Memory
from models_store.taste.synthetic import SyntheticListener

RATED = 24


@lru_cache(maxsize=1)
def songs() -> torch.Tensor:
    """Songs of a seed that the aligner was not trained on: [72, layers, dim]."""
    generator, encoder = SoundFontGenerator(), SpectralEncoder()
    return world.play_songs(generator, encoder, LEXICON, count=72, seconds=[4.0, 12.0], seed=1_000_003).embeddings


@lru_cache(maxsize=1)
def aligner() -> AlignerV2:
    return shipped.load_for(SpectralEncoder.name)


def test_synthetic_listeners_like_some_random_songs_and_not_most() -> None:
    users = range(0, aligner().config.users, 5)
    share = torch.tensor(
        [
            float((SyntheticListener(reference_taste(aligner(), user)).rate(songs(), seed=0) > 0).float().mean())
            for user in users
        ]
    )

    assert 0.20 < float(share.mean()) < 0.45
    assert float(((share > 0.08) & (share < 0.60)).float().mean()) > 0.9
    assert float(share.std()) > 0.04


def test_synthetic_listeners_do_not_all_like_the_same() -> None:
    users = aligner().project_users(aligner().reference_users())
    score = users @ aligner().project_songs(songs()).T

    agreement = torch.corrcoef(score)[~torch.eye(len(users), dtype=torch.bool)]

    assert abs(float(agreement.mean())) < 0.35


def test_the_mean_reference_listener_says_next_to_nothing_about_one() -> None:
    users = aligner().reference_users()
    liked = aligner().cosines(users, songs()) > 0
    mean = aligner().cosines(users.mean(dim=0, keepdim=True), songs()).expand(len(users), -1)

    assert 0.44 < float(training.user_aucs(mean, liked).mean()) < 0.58


def test_a_playlist_or_three_teach_what_a_listener_likes_among_new_songs() -> None:
    learner = InfoNCE(aligner())
    aucs = []
    for user in range(0, aligner().config.users, 20):
        truth = reference_taste(aligner(), user)
        rated = SyntheticListener(truth).rate(songs()[:RATED], seed=user)
        taste = learner.learn(Memory.of(songs()[:RATED], rated.tolist(), [1] * RATED), seed=user)
        (guess, _), (score, _) = taste.likeness(songs()[RATED:]), truth.likeness(songs()[RATED:])
        aucs += training.user_aucs(guess[None], (score > 0)[None]).tolist()

    assert sum(aucs) / len(aucs) > 0.80


@torch.no_grad()
def test_the_checkpoint_computes_what_it_was_trained_to_compute() -> None:
    weights = checkpoints.load(shipped.path_of(SpectralEncoder.name)).weights
    heard = 3 * torch.randn(20, *weights["feature_mean"].shape, generator=torch.Generator().manual_seed(2))

    features = ((heard - weights["feature_mean"]) / weights["feature_scale"]).clamp(-6, 6)
    each = [features[:, layer] @ weights["aggregation.value"][layer] for layer in range(features.shape[1])]
    gates = [
        torch.sigmoid(features[:, layer] @ weights["aggregation.gate"][layer] + weights["aggregation.openness"][layer])
        for layer in range(features.shape[1])
    ]
    said = sum(value * gate for value, gate in zip(each, gates, strict=True)) / features.shape[1] ** 0.5
    song = said @ weights["projection.weight"].T + weights["projection.bias"]
    table = weights["user_table"]
    hidden = torch.nn.functional.gelu(table @ weights["tower.first.weight"].T + weights["tower.first.bias"])
    hidden = hidden + table @ weights["tower.first_skip.weight"].T
    user = torch.nn.functional.gelu(hidden @ weights["tower.second.weight"].T + weights["tower.second.bias"])
    user = user + hidden @ weights["tower.second_skip.weight"].T
    centred = user - user.mean(dim=1, keepdim=True)
    user = centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
    user = user * weights["tower.norm.weight"] + weights["tower.norm.bias"]

    expected = (user / user.norm(dim=1, keepdim=True)) @ (song / song.norm(dim=1, keepdim=True)).T
    cosines = aligner().cosines(aligner().reference_users(), heard)
    torch.testing.assert_close(cosines, expected, atol=1e-5, rtol=0)


def test_the_checkpoint_says_how_it_was_made_and_is_small() -> None:
    path = shipped.path_of(SpectralEncoder.name)
    notes = checkpoints.load(path).notes

    assert notes["recipe"]["listeners"] == aligner().config.users
    assert notes["generator"] == "soundfont"
    assert notes["encoder"] == "spectral"
    assert notes["figures"]["auc"] > 0.72
    assert 0.45 < notes["figures"]["mean_auc"] < 0.55
    assert 0.45 < notes["figures"]["mean_agreement"] < 0.55
    assert set(notes["kinds"]) == set(KINDS)
    assert path.stat().st_size < 4_000_000
