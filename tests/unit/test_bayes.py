"""Learning a taste by Bayes, in a world small enough for a unit test."""

from __future__ import annotations

import time
from functools import lru_cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from models_store.taste import bayes
from models_store.taste.base import Taste, mean_taste, reference_taste
from models_store.taste.bayes import Bayes
from models_store.taste.comparison import agreement
from models_store.taste.infonce import InfoNCE
from models_store.taste.memory import Edit, Memory
from models_store.taste.posterior import PosteriorTaste
from tests.unit import small_world

USERS = (0, 5, 12, 20)


@lru_cache(maxsize=1)
def learner() -> Bayes:
    return Bayes(small_world.trained().aligner)


def new_songs(count: int, *, seed: int = 60) -> Tensor:
    return small_world.songs(count, seed=seed).embeddings


def memory(ratings: list[int], *, seed: int = 60, per_round: int = 8) -> Memory:
    return Memory.of(new_songs(len(ratings), seed=seed), ratings, [place // per_round for place in range(len(ratings))])


def answers(truth: Tensor) -> list[int]:
    return torch.where(truth > 0, 1, -1).tolist()


def truth_of(user: int, songs: Tensor) -> Tensor:
    return reference_taste(small_world.trained().aligner, user).likeness(songs)[0]


def rank_agreement(taste: Taste, truth: Tensor, songs: Tensor) -> float:
    return agreement(taste.likeness(songs)[0], truth).spearman


def stranger(songs: Tensor, *, seed: int) -> Tensor:
    """What somebody thinks of songs who is none of the reference users: a direction at random, for all songs alike."""
    places = small_world.trained().aligner.project_songs(songs)
    direction = normalize(torch.randn(places.shape[1], generator=torch.Generator().manual_seed(seed)), dim=0)
    return (places @ direction).detach() - 0.1


def test_a_reference_user_is_found_soon_and_more_ratings_teach_more() -> None:
    unrated = new_songs(300, seed=61)
    found = [
        sum(
            rank_agreement(
                learner().learn(memory(answers(truth_of(user, new_songs(count)))), seed=0),
                truth_of(user, unrated),
                unrated,
            )
            for user in USERS
        )
        / len(USERS)
        for count in (4, 16, 64)
    ]

    assert 0.3 < found[0] < found[1] < found[2]
    assert found[1] > 0.8
    assert found[2] > 0.97


def test_the_prior_yields_to_the_evidence_of_a_stranger() -> None:
    rated, unrated = new_songs(200), new_songs(300, seed=61)
    found = [
        rank_agreement(
            learner().learn(memory(answers(stranger(rated, seed=seed))), seed=0),
            stranger(unrated, seed=seed),
            unrated,
        )
        for seed in range(3)
    ]

    assert min(found) > 0.93


def test_it_learns_more_than_the_readmes_learner_from_slips_and_strangers() -> None:
    unrated = new_songs(300, seed=61)
    ahead = []
    for seed in range(4):
        said = torch.tensor(answers(stranger(new_songs(40), seed=seed)))
        said[torch.randperm(40, generator=torch.Generator().manual_seed(seed))[:4]] *= -1
        known, truth = memory(said.tolist()), stranger(unrated, seed=seed)
        others = InfoNCE(small_world.trained().aligner).learn(known, seed=0)
        ahead.append(
            rank_agreement(learner().learn(known, seed=0), truth, unrated) - rank_agreement(others, truth, unrated)
        )

    assert sum(ahead) / len(ahead) > 0


def test_probabilities_are_calibrated() -> None:
    unrated = new_songs(200, seed=61)
    predicted, said = [], []
    for user in range(30):
        known = memory(answers(truth_of(user, new_songs(20, seed=user + 200))), seed=user + 200)
        predicted.append(learner().learn(known, seed=0).probability(unrated))
        said.append(truth_of(user, unrated) > 0)
    probability, liked = torch.cat(predicted), torch.cat(said).float()

    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        inside = (probability >= low) & (probability < low + 0.2)
        assert abs(float((probability - liked)[inside].sum())) / len(liked) < 0.04


@settings(deadline=None, max_examples=20)
@given(st.lists(st.sampled_from([-1, 0, 1]), max_size=14), st.booleans())
def test_no_ratings_whatsoever_make_a_taste_that_is_not_a_number(ratings: list[int], constant: bool) -> None:
    known = memory(ratings) if ratings else Memory.empty(layers=small_world.LAYERS, dim=small_world.DIM)
    if constant and ratings:
        known = Memory.of(torch.ones_like(known.embeddings), ratings, known.rounds.tolist())

    taste = learner().learn(known, seed=1)

    mean, deviation = taste.likeness(new_songs(20))
    assert bool(((mean > -1) & (mean < 1)).all())
    assert bool(((deviation >= 0) & deviation.isfinite()).all())
    assert bool(((taste.probability(new_songs(20)) >= 0) & (taste.probability(new_songs(20)) <= 1)).all())
    assert float(taste.vector.norm()) == pytest.approx(1.0, abs=1e-5)


def test_before_anything_is_rated_nobody_in_particular_is_believed_in() -> None:
    taste = learner().learn(Memory.empty(layers=small_world.LAYERS, dim=small_world.DIM), seed=0)
    songs = new_songs(100, seed=61)
    expected = mean_taste(small_world.trained().aligner).likeness(songs)[0]

    mean, deviation = taste.likeness(songs)

    assert agreement(mean, expected).spearman > 0.5
    assert float(deviation.min()) > float(mean.abs().median())


@pytest.mark.parametrize("opinion", [1, -1])
def test_a_single_kind_of_rating_moves_the_taste_towards_it(opinion: int) -> None:
    known = memory([opinion] * 6)
    nothing = Memory.empty(layers=small_world.LAYERS, dim=small_world.DIM)

    before, after = (learner().learn(one, seed=0).probability(known.embeddings) for one in (nothing, known))

    assert bool((opinion * (after - before) > 0).all())


def test_a_track_that_was_liked_and_disliked_is_a_toss_up() -> None:
    song = new_songs(1)
    both = Memory.of(song.expand(8, -1, -1), [1, -1] * 4, [0] * 8)
    liked = Memory.of(song.expand(8, -1, -1), [1] * 8, [0] * 8)

    torn, sure = (float(learner().learn(one, seed=0).probability(song)) for one in (both, liked))

    assert 0.3 < torn < 0.7
    assert sure > 0.8


def test_what_is_neither_liked_nor_disliked_or_weighs_nothing_teaches_nothing() -> None:
    songs, unrated = new_songs(4), new_songs(30, seed=61)
    plain = Memory.of(songs[:2], [1, -1], [0, 0])
    more = Memory.of(songs, [1, -1, 0, 1], [0, 0, 0, 0], weights=[1.0, 1.0, 1.0, 0.0])

    torch.testing.assert_close(*(learner().learn(one, seed=0).likeness(unrated)[0] for one in (plain, more)))


def test_a_never_again_says_more_than_a_dislike_and_a_skip_says_less() -> None:
    songs = new_songs(12)
    said = [1, 1, -1, 1, -1, 1, 1, -1, 1, 1, -1, -1]

    def chance(weight: float) -> float:
        known = Memory.of(songs, said, [0] * 12, weights=[1.0] * 11 + [weight])
        return float(learner().learn(known, seed=0).probability(songs[-1:]))

    assert chance(4.0) < chance(1.0) - 0.02 < chance(1.0) + 0.02 < chance(0.2)


def test_an_edit_makes_songs_with_the_concept_rise_and_its_opposite_makes_them_sink() -> None:
    songs, others = small_world.songs(300, seed=62), small_world.songs(300, seed=63)
    has, others_have = (one.said["genre"][1][:, 1] for one in (songs, others))
    rated = memory(answers(truth_of(5, new_songs(16))))

    def lead(wanted: float | None) -> float:
        edit = Edit("voice", songs.embeddings[has][:40], songs.embeddings[~has][:40], wanted or 0.0, 4.0)
        edits = [] if wanted is None else [edit]
        known = Memory.of(rated.embeddings, rated.ratings.tolist(), rated.rounds.tolist(), edits=edits)
        mean = learner().learn(known, seed=0).likeness(others.embeddings)[0]
        return float(mean[others_have].mean() - mean[~others_have].mean())

    assert lead(-1.0) < lead(None) - 0.05
    assert lead(1.0) > lead(None) + 0.1
    assert abs(lead(0.0)) < abs(lead(None))


def test_an_edit_is_enough_to_have_a_taste() -> None:
    songs = small_world.songs(100, seed=62)
    has = songs.said["genre"][1][:, 0]
    edit = Edit("genre", songs.embeddings[has], songs.embeddings[~has], 1.0, 2.0)
    nothing = Memory.empty(layers=small_world.LAYERS, dim=small_world.DIM)
    asked = Memory(nothing.embeddings, nothing.ratings, nothing.rounds, nothing.weights, (edit,))

    mean, _ = learner().learn(asked, seed=0).likeness(songs.embeddings)

    assert float(mean[has].mean()) > float(mean[~has].mean()) + 0.1


def two_peaks(songs: Tensor) -> Tensor:
    """Likes what is near either of two songs that are far apart."""
    aligner = small_world.trained().aligner
    places, peaks = aligner.project_songs(songs), aligner.project_songs(new_songs(40, seed=70))
    first = peaks[0]
    second = peaks[(peaks @ first).argmin()]
    near = torch.maximum(places @ first, places @ second)
    return (near - 0.55).detach()


def test_somebody_with_two_tastes_is_learned_better_than_by_one_vector() -> None:
    rated, unrated = new_songs(150), new_songs(300, seed=61)
    known, truth = memory(answers(two_peaks(rated))), two_peaks(unrated)

    both = rank_agreement(learner().learn(known, seed=0), truth, unrated)
    one = rank_agreement(InfoNCE(small_world.trained().aligner).learn(known, seed=0), truth, unrated)

    assert 0.2 < float((truth > 0).float().mean()) < 0.7
    assert both > one + 0.1


def test_a_listener_who_turned_round_is_followed_within_twenty_ratings_and_a_constant_one_loses_nothing() -> None:
    rated, unrated = new_songs(80), new_songs(300, seed=61)
    followed, lost = [], []
    for user in USERS:
        truth, later = truth_of(user, rated), truth_of(user, unrated)
        turned = memory(answers(torch.cat([-truth[:60], truth[60:]])))
        constant = memory(answers(truth))
        followed.append(rank_agreement(learner().learn(turned, seed=0), later, unrated))
        still = Bayes(small_world.trained().aligner, drifts=False)
        without, with_drift = (
            rank_agreement(one.learn(constant, seed=0), later, unrated) for one in (still, learner())
        )
        lost.append(without - with_drift)

    assert sum(followed) / len(followed) > 0.7
    assert sum(lost) / len(lost) < 0.01


def test_the_same_memory_gives_the_same_taste_and_the_global_generator_is_left_alone() -> None:
    before, known, songs = torch.get_rng_state(), memory([1, -1, 1, -1, 1, 1]), new_songs(30, seed=61)

    first, again = (learner().learn(known, seed=3) for _ in range(2))

    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.likeness(songs)[0], again.likeness(songs)[0])
    assert torch.equal(first.draws(songs, count=20, seed=1), again.draws(songs, count=20, seed=1))
    assert not torch.equal(first.draws(songs, count=20, seed=1), first.draws(songs, count=20, seed=2))


def test_a_state_is_small_and_gives_the_same_numbers_again() -> None:
    songs = new_songs(30, seed=61)
    taste = learner().learn(memory(answers(truth_of(5, new_songs(100)))), seed=0)

    kept = taste.state()
    again = learner().restore(kept)

    for first, second in zip(taste.likeness(songs), again.likeness(songs), strict=True):
        assert torch.equal(first, second)
    assert torch.equal(taste.probability(songs), again.probability(songs))
    assert torch.equal(taste.draws(songs, count=5, seed=0), again.draws(songs, count=5, seed=0))
    assert sum(value.numel() * value.element_size() for value in kept.values()) < 150_000


def test_the_state_of_something_else_is_refused() -> None:
    kept = learner().learn(memory([1, -1]), seed=0).state()

    with pytest.raises(ValueError, match="expected a state with means"):
        learner().restore({"user": torch.zeros(12)})
    with pytest.raises(ValueError, match="another aligner"):
        learner().restore({**kept, "means": kept["means"][:, 1:]})


def test_draws_agree_with_the_mean_and_the_deviation() -> None:
    songs = new_songs(40, seed=61)
    taste = learner().learn(memory(answers(truth_of(5, new_songs(12)))), seed=0)

    drawn = taste.draws(songs, count=4000, seed=0)
    mean, deviation = taste.likeness(songs)

    assert drawn.shape == (4000, 40)
    assert float((drawn.mean(dim=0) - mean).abs().max()) < 0.05
    assert float((drawn.std(dim=0) - deviation).abs().max()) < 0.08


def test_uncertainty_falls_with_ratings() -> None:
    spreads = [
        float(
            learner()
            .learn(memory(answers(stranger(new_songs(count), seed=1))), seed=0)
            .likeness(new_songs(50))[1]
            .mean()
        )
        for count in (2, 20, 200)
    ]

    assert spreads[0] > spreads[1] > spreads[2] > 0


def test_likeness_never_saturates_so_that_a_search_can_climb_it() -> None:
    songs = new_songs(60)
    taste = learner().learn(memory(answers(stranger(songs, seed=2))), seed=0)
    best = songs[taste.likeness(songs)[0].argmax()]
    middle = songs.mean(dim=0)
    further = torch.stack([middle + stretch * (best - middle) for stretch in (0.5, 1.0, 1.5)])

    mean, _ = taste.likeness(further)

    assert float(mean[0]) < float(mean[1]) < 0.99


def test_ten_thousand_ratings_take_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bayes, "MOST_RATINGS", 200)
    songs = new_songs(1000)
    truth = truth_of(5, songs)
    many = Memory.of(songs.repeat(10, 1, 1), answers(truth) * 10, [place // 8 for place in range(10_000)])
    unrated = new_songs(200, seed=61)

    started = time.process_time()
    taste = learner().learn(many, seed=0)

    assert time.process_time() - started < 5.0
    assert rank_agreement(taste, truth_of(5, unrated), unrated) > 0.95


def test_ratings_that_stand_for_others_weigh_as_much_as_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bayes, "MOST_RATINGS", 8)
    kept = bayes._heard(memory([1] * 20))

    assert kept.weights.tolist() == [4.0] * 4 + [1.0] * 4
    assert kept.rounds.tolist() == sorted(kept.rounds.tolist())


def test_it_fits_the_posterior_that_sampling_finds() -> None:
    """Expectation propagation against importance sampling, for two numbers and eight answers with slips."""
    from models_store.taste import probit

    generator = torch.Generator().manual_seed(0)
    songs = 2.0 * torch.randn(1, 8, 2, generator=generator, dtype=torch.float64)
    signs = torch.tensor([1.0, -1, 1, 1, -1, -1, 1, -1], dtype=torch.float64)
    none = torch.zeros(1, 0, dtype=torch.float64)
    known = probit.Evidence(
        songs=songs,
        offset=torch.full((1, 8), 0.3, dtype=torch.float64),
        signs=signs,
        weights=torch.ones(1, 8, dtype=torch.float64),
        lapse=torch.tensor([0.05], dtype=torch.float64),
        wishes=torch.zeros(1, 0, 2, dtype=torch.float64),
        wanted=none,
        looseness=none,
    )
    drawn = torch.randn(400_000, 2, generator=generator, dtype=torch.float64)
    chance = 0.05 + 0.9 * torch.special.ndtr(signs * (drawn @ songs[0].T + 0.3))
    weight = chance.log().sum(dim=1).exp()

    fit = probit.fit(known)

    expected = (weight[:, None] * drawn).sum(dim=0) / weight.sum()
    assert float((fit.mean[0] - expected).abs().max()) < 0.08
    assert float(fit.evidence[0]) == pytest.approx(float(weight.mean().log()), abs=0.1)


def test_a_taste_is_a_taste() -> None:
    taste = learner().learn(memory([1, -1, 1]), seed=0)

    assert isinstance(taste, PosteriorTaste)
    assert learner().loss(taste, memory([1, -1, 1])) < learner().loss(taste, memory([-1, 1, -1]))


def test_the_aligner_is_left_as_it_was() -> None:
    aligner = small_world.trained().aligner
    before = {name: value.clone() for name, value in aligner.state_dict().items()}

    learner().learn(memory([1, -1, 1]), seed=0)

    assert all(torch.equal(value, before[name]) for name, value in aligner.state_dict().items())
