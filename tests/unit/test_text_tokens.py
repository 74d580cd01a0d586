"""Prompts as tokens and embeddings, and what evolved embeddings are read as."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from models_store.generators.text_tokens import EncodedPrompts, TextTokens
from tests.random_models import musicgen

PROMPTS = ["calm piano", "energetic rock with drums and guitar, 120 bpm", "zorb in d minor"]
DIM = 16


def framed() -> PreTrainedTokenizerFast:
    """As CLIP's: a beginning and an end, and the end is the padding too."""
    words = {word: at for at, word in enumerate(["<start>", "<end>", "calm", "piano", "drums"])}
    inner = Tokenizer(models.WordLevel(words, unk_token="<end>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 0), ("<end>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<start>", eos_token="<end>", pad_token="<end>", unk_token="<end>"
    )


@pytest.fixture(scope="module")
def vocabulary() -> TextTokens:
    tokenizer = musicgen.tokenizer()
    generator = torch.Generator().manual_seed(0)
    return TextTokens(tokenizer, torch.randn(len(tokenizer) + 5, DIM, generator=generator), pad_id=0)


def test_a_prompt_ends_with_the_end_token_and_is_padded(vocabulary: TextTokens) -> None:
    ids = vocabulary.ids(["calm piano"], length=5)
    assert [vocabulary.tokens[token] for token in ids[0]] == ["▁calm", "▁piano", "</s>", "<pad>", "<pad>"]


def test_a_prompt_that_is_cut_keeps_its_end_token(vocabulary: TextTokens) -> None:
    tokens = vocabulary.padded([PROMPTS[1]], length=4)
    assert [vocabulary.tokens[token] for token in tokens.ids[0]] == ["▁energetic", "▁rock", "▁with", "</s>"]
    assert tokens.mask.all()


def test_uncut_rows_are_what_the_tokenizer_makes(vocabulary: TextTokens) -> None:
    tokenizer = musicgen.tokenizer()
    assert vocabulary.rows(PROMPTS) == [tokenizer(prompt)["input_ids"] for prompt in PROMPTS]
    assert vocabulary.rows([]) == []


def test_a_length_without_room_for_a_word_is_refused(vocabulary: TextTokens) -> None:
    with pytest.raises(ValueError, match="expected more than 1 tokens"):
        vocabulary.ids(PROMPTS, length=1)


def test_tokens_around_a_prompt_are_kept_and_not_shown() -> None:
    vocabulary = TextTokens(framed(), torch.randn(5, DIM), pad_id=1)
    assert vocabulary.frame == 2
    ids = vocabulary.ids(["calm piano drums calm"], length=4)
    assert ids.tolist() == [[0, 2, 3, 1]]
    assert vocabulary.prompts(ids) == ["calm piano"]


def test_padding_that_is_also_the_end_is_told_from_it_by_the_mask() -> None:
    tokens = TextTokens(framed(), torch.randn(5, DIM), pad_id=1).padded(["calm"], length=5)
    assert tokens.ids.tolist() == [[0, 2, 1, 1, 1]]
    assert tokens.mask.tolist() == [[True, True, True, False, False]]


def test_embedded_prompts_are_read_back(vocabulary: TextTokens) -> None:
    embedded = vocabulary.embed(PROMPTS, length=20)
    assert embedded.shape == (3, 20, DIM)
    assert torch.equal(vocabulary.nearest_ids(embedded), vocabulary.ids(PROMPTS, length=20))
    assert vocabulary.nearest(embedded) == PROMPTS


def test_a_position_is_read_by_its_direction_whatever_its_size(vocabulary: TextTokens) -> None:
    embedded = vocabulary.embed(PROMPTS, length=20)
    for scale in (1e-30, 0.1, 50.0, 1e36):
        assert vocabulary.nearest(embedded * scale) == PROMPTS


def test_nearest_is_the_greatest_cosine(vocabulary: TextTokens) -> None:
    positions = torch.randn(7, 3, DIM, generator=torch.Generator().manual_seed(1))
    cosines = torch.cosine_similarity(positions[:, :, None].double(), vocabulary.embeddings[None, None].double(), -1)
    shown = [at for at, token in enumerate(vocabulary.tokens) if token and not token.startswith("<extra")]
    expected = torch.tensor(shown)[cosines[..., shown].argmax(-1)]
    assert torch.equal(vocabulary.nearest_ids(positions), expected)


def test_rows_without_a_token_and_sentinels_are_never_nearest(vocabulary: TextTokens) -> None:
    odd = [at for at, token in enumerate(vocabulary.tokens) if not token or token.startswith("<extra")]
    assert len(odd) == 7
    nearest = vocabulary.nearest_ids(vocabulary.embeddings[odd][:, None])
    assert not set(nearest.flatten().tolist()) & set(odd)


def test_a_position_of_zeros_is_padding(vocabulary: TextTokens) -> None:
    assert vocabulary.nearest_ids(torch.zeros(1, 3, DIM)).tolist() == [[0, 0, 0]]
    assert vocabulary.prompts(torch.zeros(1, 3, dtype=torch.int64)) == [""]


@pytest.mark.parametrize(
    "embeddings", [torch.zeros(2, 3), torch.zeros(2, 3, DIM + 1), torch.full((1, 1, DIM), torch.nan)]
)
def test_what_cannot_be_compared_is_refused(vocabulary: TextTokens, embeddings: Tensor) -> None:
    with pytest.raises(ValueError, match="embeddings: expected"):
        vocabulary.nearest_ids(embeddings)


def test_no_genome_has_no_name(vocabulary: TextTokens) -> None:
    assert vocabulary.nearest(torch.zeros(0, 4, DIM)) == []
    assert vocabulary.embed([], length=4).shape == (0, 4, DIM)


def test_a_matrix_of_another_tokenizer_is_refused() -> None:
    tokenizer = musicgen.tokenizer()
    with pytest.raises(ValueError, match=r"expected embeddings \[at least"):
        TextTokens(tokenizer, torch.zeros(len(tokenizer) - 1, DIM), pad_id=0)
    with pytest.raises(ValueError, match="padding token"):
        TextTokens(tokenizer, torch.zeros(len(tokenizer), DIM), pad_id=len(tokenizer))
    with pytest.raises(ValueError, match="finite"):
        TextTokens(tokenizer, torch.full((len(tokenizer), DIM), torch.inf), pad_id=0)


def test_many_threads_ask_one_vocabulary(vocabulary: TextTokens) -> None:
    def ask(length: int) -> tuple[list[str], list[int]]:
        embedded = vocabulary.embed(PROMPTS, length=length)
        return vocabulary.nearest(embedded), [len(row) for row in vocabulary.rows(PROMPTS)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, [20, 24, 30, 40] * 20))
    assert answers == [ask(20)] * 80


def test_a_whole_generation_is_named_at_the_size_of_t5() -> None:
    """2,500 positions of 768 numbers among 32,128 tokens: 62 thousand million multiplications."""
    tokenizer = musicgen.tokenizer()
    names = [tokenizer.convert_ids_to_tokens(at) for at in range(len(tokenizer))]
    tokenizer.add_tokens([f"word{at}" for at in range(32_100 - len(names))])
    vocabulary = TextTokens(tokenizer, torch.randn(32_128, 768), pad_id=0)
    nearest = vocabulary.nearest_ids(vocabulary.embeddings[:2500].reshape(100, 25, 768) + 0.01)
    assert (nearest.flatten() == torch.arange(2500)).float().mean() > 0.99


class Mixing:
    """A text encoder in little: every position hears the whole prompt."""

    def __init__(self, embeddings: Tensor) -> None:
        self.embeddings = embeddings
        self.calls: list[int] = []

    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        self.calls.append(len(ids))
        states = self.embeddings[ids]
        heard = (states * mask[..., None]).sum(1, keepdim=True) / mask.sum(1)[:, None, None]
        return states + 0.3 * heard


def encoded(vocabulary: TextTokens, **options: int | bool) -> tuple[EncodedPrompts, Mixing]:
    encoder = Mixing(vocabulary.embeddings)
    return EncodedPrompts(vocabulary, encoder, **options), encoder  # type: ignore[arg-type]


def test_encoded_prompts_are_zero_after_their_end(vocabulary: TextTokens) -> None:
    space, _ = encoded(vocabulary)
    made = space.embed(["calm piano"], length=6)
    assert made.dtype == torch.float32
    assert made.shape == (1, 6, DIM)
    assert made[0, :3].any(dim=-1).all()
    assert not made[0, 3:].any()


def test_padding_stays_what_the_encoder_makes_of_it_where_it_is_heard(vocabulary: TextTokens) -> None:
    space, _ = encoded(vocabulary, blank_padding=False)
    assert space.embed(["calm piano"], length=6).any(dim=-1).all()


def test_encoded_prompts_are_read_back_and_nothing_before_any_was_embedded(vocabulary: TextTokens) -> None:
    space, _ = encoded(vocabulary)
    assert space.nearest(torch.randn(2, 4, DIM)) == ["", ""]
    made = space.embed(PROMPTS, length=20)
    assert space.nearest(made) == PROMPTS
    assert space.nearest(made * (1 + 0.01 * torch.rand(made.shape))) == PROMPTS


def test_what_is_embedded_later_is_known_too(vocabulary: TextTokens) -> None:
    space, _ = encoded(vocabulary)
    space.embed(PROMPTS[:1], length=20)
    assert space.nearest(space.embed(PROMPTS[:1], length=20)) == PROMPTS[:1]
    assert space.nearest(space.embed(PROMPTS[1:], length=20)) == PROMPTS[1:]


def test_a_fresh_one_reads_with_what_it_embedded_itself(vocabulary: TextTokens) -> None:
    space, _ = encoded(vocabulary)
    other = space.embed(["fast techno"], length=6)
    fresh = space.fresh()
    assert fresh.nearest(other) == [""]
    fresh.embed(["calm jazz"], length=6)
    assert "techno" not in fresh.nearest(other)[0]
    assert space.nearest(other) == ["fast techno"]


def test_the_encoder_gets_many_prompts_in_parts(vocabulary: TextTokens) -> None:
    space, encoder = encoded(vocabulary)
    prompts: Sequence[str] = [f"calm piano, {bpm} bpm" for bpm in range(150)]
    alone = space.embed(prompts[140:141], length=12)
    encoder.calls.clear()
    made = space.embed(prompts, length=12)
    assert encoder.calls == [64, 64, 22]
    assert torch.equal(made[140:141], alone)
    assert space.embed([], length=12).shape == (0, 12, DIM)


def test_what_is_remembered_is_bounded_and_the_newest_stays(vocabulary: TextTokens) -> None:
    space, _ = encoded(vocabulary, most_remembered=12)
    first = space.embed(["calm piano"], length=6)
    for _ in range(5):
        last = space.embed([PROMPTS[1]], length=20)
    assert space.nearest(last) == [PROMPTS[1]]
    assert space.nearest(first) != ["calm piano"]


@pytest.mark.parametrize(
    "embeddings", [torch.zeros(2, 3), torch.zeros(2, 3, DIM + 1), torch.full((1, 1, DIM), torch.inf)]
)
def test_encoded_numbers_that_cannot_be_compared_are_refused(vocabulary: TextTokens, embeddings: Tensor) -> None:
    space, _ = encoded(vocabulary)
    space.embed(PROMPTS, length=20)
    with pytest.raises(ValueError, match="embeddings: expected"):
        space.nearest(embeddings)
