"""Invented listeners: of many kinds, so that the mean of them says next to nothing about any."""

from __future__ import annotations

from functools import lru_cache

import pytest
import torch
from torch import Tensor

from models_store.aligner import listeners, training, world
from tests.unit import small_world


@lru_cache(maxsize=1)
def many() -> world.Listeners:
    return world.invent_listeners(small_world.songs(), count=240, seed=11)


def agreement(first: Tensor, second: Tensor) -> float:
    """Mean correlation of each of the first [A, N] with each of the second [B, N]."""
    one, two = (listeners.standard(rows, dim=1) for rows in (first, second))
    return float((one @ two.T / one.shape[1]).mean())


def of(kind: str, scene: int) -> Tensor:
    chosen = [known == (kind, scene) for known in zip(many().kinds, many().scenes, strict=True)]
    return many().utility[torch.tensor(chosen)]


def test_there_are_listeners_of_every_kind_and_of_every_scene() -> None:
    assert set(many().kinds) == set(listeners.KINDS)
    assert set(many().scenes) == {-1, *range(listeners.SCENES)}
    assert {kind for kind, scene in zip(many().kinds, many().scenes, strict=True) if scene < 0} == {"broad"}


def test_what_most_people_like_tells_next_to_nothing_about_one() -> None:
    likes = many().likes
    popularity = likes[::2].float().mean(dim=0)  # by every other listener

    auc = training.user_aucs(popularity.expand(len(likes) // 2, -1), likes[1::2]).mean()

    assert 0.45 < float(auc) < 0.56


def test_no_song_is_popular_because_it_is_extreme() -> None:
    # Where all tastes are for or against one thing, whoever loves either of two scenes would love both its ends.
    thing = torch.randn(300, 1, generator=torch.Generator().manual_seed(0))
    shares = [
        listeners.invent([listeners.Facet(thing, None, 1.0)], count=200, seed=seed).likes.float().mean(dim=0)
        for seed in (11, 12)
    ]

    # By chance alone a song's share of likes would stray by about 0.03; left as it is, by 0.13.
    assert max(float(share.std()) for share in shares) < 0.1


def test_people_of_a_scene_agree_and_the_contrary_hate_what_these_love() -> None:
    scenes = [scene for scene in range(listeners.SCENES) if len(of("narrow", scene)) > 1 and len(of("contrary", scene))]
    alike = [agreement(of("narrow", scene)[:1], of("narrow", scene)[1:]) for scene in scenes]
    opposed = [agreement(of("narrow", scene), of("contrary", scene)) for scene in scenes]

    assert len(scenes) >= 6
    assert min(alike) > 0.5
    assert max(opposed) < -0.5


def test_people_of_different_scenes_have_little_in_common() -> None:
    first = torch.stack([of("narrow", scene)[0] for scene in range(listeners.SCENES) if len(of("narrow", scene))])
    correlations = torch.corrcoef(first)[~torch.eye(len(first), dtype=torch.bool)]

    assert abs(float(correlations.mean())) < 0.15
    assert float(correlations.abs().mean()) < 0.4


def test_a_mixture_likes_songs_that_either_scene_likes() -> None:
    kinds = torch.tensor([kind == "mixture" for kind in many().kinds])
    scene = torch.tensor(many().scenes)[kinds]
    with_first = [agreement(many().utility[kinds][row : row + 1], of("narrow", int(scene[row]))) for row in range(10)]

    assert 0.2 < sum(with_first) / len(with_first) < 0.9


def test_a_utility_above_the_border_is_mostly_a_like_and_below_mostly_not() -> None:
    agree = ((many().utility >= 0) == many().likes).float().mean(dim=1)

    assert float(agree.mean()) > 0.8
    assert float(agree.max()) < 1.0  # the noise
    share = (many().utility >= 0).float().mean(dim=1)
    torch.testing.assert_close(share, many().likes.float().mean(dim=1), atol=0.01, rtol=0)


@pytest.mark.parametrize("count", [1, 3])
def test_a_few_listeners_can_be_invented_alone(count: int) -> None:
    few = world.invent_listeners(small_world.songs(), count=count, seed=5)

    assert len(few) == count
    assert bool(few.utility.isfinite().all())
    assert float(few.utility.std(dim=1).min()) > 0.9
