"""MusicGen's decoder: its weights, read from transformers' modules, and the pass through its layers.

The layers are those of transformers' `MusicgenDecoderLayer`: norms before self-attention, cross-attention and feed
forward, no biases. The melody variant has no cross-attention: its text stands in front of the codes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models_store.generators.musicgen.attention import Memory, Window


@dataclass(frozen=True)
class Norm:
    """A layer norm."""

    weight: Tensor
    bias: Tensor
    epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        """The same shape."""
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.epsilon)


@dataclass(frozen=True)
class Cross:
    """Attention to the text. Weights are [out, in]; keys and values are made at once, [2 * hidden, hidden]."""

    norm: Norm
    query: Tensor
    key_value: Tensor
    out: Tensor


@dataclass(frozen=True)
class Layer:
    """One layer. Weights are [out, in]; query, key and value are made at once, [3 * hidden, hidden]."""

    norm: Norm
    query_key_value: Tensor
    out: Tensor
    cross: Cross | None
    feed_norm: Norm
    feed_in: Tensor
    feed_out: Tensor
    activation: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Network:
    """The decoder's weights and sizes.

    embeddings: [codebooks * (vocabulary + 1), hidden], the last of each codebook for padding. head: [codebooks *
    vocabulary, hidden]. places: [positions, hidden], sinusoidal. pad: the code that stands where no code is.
    """

    layers: tuple[Layer, ...]
    norm: Norm
    embeddings: Tensor
    head: Tensor
    places: Callable[[int], Tensor]
    heads: int
    codebooks: int
    channels: int
    vocabulary: int
    pad: int

    @property
    def hidden(self) -> int:
        """Size of a state."""
        return self.embeddings.shape[1]

    @property
    def inner(self) -> int:
        """Size of the state inside of the feed forward."""
        return self.layers[0].feed_in.shape[0]

    @property
    def crossed(self) -> bool:
        """Whether it attends to its text; else the text stands in front of the codes."""
        return self.layers[0].cross is not None

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.embeddings.device

    @property
    def dtype(self) -> torch.dtype:
        """The numbers that it computes in."""
        return self.embeddings.dtype


def read(model: Any) -> Network:
    """The weights of transformers' MusicgenForCausalLM or MusicgenMelodyForCausalLM.

    Raises ValueError for another kind of model.
    """
    try:
        decoder, config, heads = model.model.decoder, model.config, model.lm_heads
        layers = tuple(_layer(layer) for layer in decoder.layers)
        network = Network(
            layers=layers,
            norm=_norm(decoder.layer_norm),
            embeddings=_side_by_side(list(decoder.embed_tokens)),
            head=_side_by_side(list(heads)),
            places=_places(decoder.embed_positions),
            heads=int(config.num_attention_heads),
            codebooks=int(config.num_codebooks),
            channels=int(config.audio_channels),
            vocabulary=int(config.vocab_size),
            pad=int(config.pad_token_id),
        )
    except AttributeError as error:
        raise ValueError(
            f"model: expected transformers' MusicgenForCausalLM or MusicgenMelodyForCausalLM, "
            f"got {type(model).__name__} ({error})"
        ) from error
    if network.embeddings.shape[0] != network.codebooks * (network.vocabulary + 1):
        raise ValueError(
            f"model: expected embeddings of {network.codebooks} codebooks with {network.vocabulary + 1} codes each, "
            f"got {network.embeddings.shape[0]} embeddings"
        )
    return network


def forward(network: Network, x: Tensor, memory: Memory, window: Window) -> Tensor:
    """States [rows * S, hidden] through all layers, in place; S consecutive slots of each row.

    The memory takes their keys and values up; its first rows, which know a text, attend to that too.
    """
    span = x.shape[0] // memory.rows
    told = x[: memory.told * span]
    for index, layer in enumerate(network.layers):
        both = functional.linear(layer.norm(x), layer.query_key_value)
        seen = memory.attend(index, both.view(memory.rows, span, 3, network.heads, -1), window)
        x.addmm_(seen, layer.out.t())
        if layer.cross is not None:
            query = functional.linear(layer.cross.norm(told), layer.cross.query)
            read_text = memory.attend_text(index, query.view(memory.told, span, network.heads, -1))
            told.addmm_(read_text, layer.cross.out.t())
        inner = layer.activation(functional.linear(layer.feed_norm(x), layer.feed_in))
        x.addmm_(inner, layer.feed_out.t())
    return x


def _layer(layer: Any) -> Layer:
    attention = layer.self_attn
    crossing = getattr(layer, "encoder_attn", None)
    return Layer(
        norm=_norm(layer.self_attn_layer_norm),
        query_key_value=_side_by_side([attention.q_proj, attention.k_proj, attention.v_proj]),
        out=_weight(attention.out_proj),
        cross=None if crossing is None else _cross(crossing, layer.encoder_attn_layer_norm),
        feed_norm=_norm(layer.final_layer_norm),
        feed_in=_weight(layer.fc1),
        feed_out=_weight(layer.fc2),
        activation=layer.activation_fn,
    )


def _cross(attention: Any, norm: Any) -> Cross:
    return Cross(
        norm=_norm(norm),
        query=_weight(attention.q_proj),
        key_value=_side_by_side([attention.k_proj, attention.v_proj]),
        out=_weight(attention.out_proj),
    )


def _norm(norm: Any) -> Norm:
    return Norm(weight=norm.weight.detach(), bias=norm.bias.detach(), epsilon=float(norm.eps))


def _weight(linear: Any) -> Tensor:
    if getattr(linear, "bias", None) is not None:
        raise ValueError("model: expected projections without biases, as MusicGen's are, got one with a bias")
    weight: Tensor = linear.weight.detach()
    return weight


def _side_by_side(modules: Sequence[Any]) -> Tensor:
    """Their weights as one, along the first dimension; they keep views of it, so that nothing is there twice."""
    weights = [_weight(module) for module in modules]
    joined = torch.cat(weights)
    for module, part in zip(modules, joined.split([len(weight) for weight in weights]), strict=True):
        module.weight.data = part
    return joined


def _places(module: Any) -> Callable[[int], Tensor]:
    """Position embeddings [count, hidden]; beyond the model's table they are computed, as transformers does."""

    def places(count: int) -> Tensor:
        table: Tensor = module.weights
        if count > len(table):
            table = module.get_embedding(count, module.embedding_dim).to(table)
        return table[:count]

    return places
