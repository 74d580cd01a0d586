"""How the layers of an encoder become one vector per song: [N, layers, dim] -> [N, dim].

Two of them ask the listener, so that a song sounds different to each: [M, N, dim] for M listeners.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from models_store.aligner.attention import Attention, Readable, SelfAttentionLayer
from models_store.aligner.config import AlignerConfig

QUERIES = 2
"""Of the learned-query aggregation, as many as the prototype learns."""


class LayerAggregation(nn.Module):
    """The layers of a song as one vector. `initialise` draws what torch's own modules do not hold."""

    def initialise(self, generator: torch.Generator) -> None:
        """Fill the parameters of this module itself, drawing from `generator` alone."""


class GatingAggregation(LayerAggregation):
    """The sum of what each layer says, in a language of its own and as loud as its gate lets it.

    A gated linear unit per layer (Dauphin et al. 2017, Language modeling with gated convolutional networks,
    section 2): an encoder's layers may speak of different things, so they do not share weights.
    """

    def __init__(self, config: AlignerConfig) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.empty(config.layers, config.dim, config.dim))
        self.gate = nn.Parameter(torch.empty(config.layers, config.dim, config.dim))
        self.openness = nn.Parameter(torch.empty(config.layers, config.dim))

    def initialise(self, generator: torch.Generator) -> None:
        """See `LayerAggregation.initialise`."""
        self.value.normal_(std=self.value.shape[-1] ** -0.5, generator=generator)
        self.gate.zero_()
        self.openness.zero_()

    def forward(self, features: Tensor) -> Tensor:
        value = torch.einsum("nld,lde->nle", features, self.value)
        gate = (torch.einsum("nld,lde->nle", features, self.gate) + self.openness).sigmoid()
        heard: Tensor = (gate * value).sum(dim=1) / features.shape[1] ** 0.5  # [N, dim]
        return heard


class MeanAggregation(LayerAggregation):
    """The mean over the layers."""

    def forward(self, features: Tensor) -> Tensor:
        return features.mean(dim=1)  # [N, dim]


class WeightedAggregation(LayerAggregation):
    """The sum of the layers, each with a weight that was learned; the weights are free."""

    def __init__(self, config: AlignerConfig) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.empty(config.layers))

    def initialise(self, generator: torch.Generator) -> None:  # noqa: ARG002 - nothing is drawn
        """See `LayerAggregation.initialise`."""
        self.weights.fill_(1 / len(self.weights))

    def forward(self, features: Tensor) -> Tensor:
        return torch.einsum("nld,l->nd", features, self.weights)


class JointGatingAggregation(LayerAggregation):
    """The sum of the layers, each number weighed by a gate that has heard all layers at once.

    Softmax: the weights of a number add up to 1 over the layers. Tanh: a layer may also be taken away. What is weighed
    went through a GELU layer with a skip and a norm, the same for all layers. The gate has (layers * dim)^2 weights: a
    hundred million for MERT.
    """

    def __init__(self, config: AlignerConfig, *, tanh: bool) -> None:
        super().__init__()
        self.tanh = tanh
        self.gate = nn.Linear(config.layers * config.dim, config.layers * config.dim)
        self.transform = nn.Linear(config.dim, config.dim)
        self.norm = nn.LayerNorm(config.dim)
        self.out_norm = nn.LayerNorm(config.dim)

    def forward(self, features: Tensor) -> Tensor:
        gate = self.gate(features.flatten(1)).reshape(features.shape)  # [N, layers, dim]
        weights = gate.tanh() if self.tanh else gate.softmax(dim=1)
        said = self.norm(features + gelu(self.transform(features)))  # [N, layers, dim]
        heard: Tensor = self.out_norm((weights * said).sum(dim=1))  # [N, dim]
        return heard


class GRUAggregation(LayerAggregation):
    """What a gated recurrent unit (Cho et al. 2014) says after reading the layers in order, and their mean.

    Where its state is of another size than a layer, a linear map brings it back.
    """

    def __init__(self, config: AlignerConfig) -> None:
        super().__init__()
        self.gru = nn.GRU(config.dim, config.hidden, batch_first=True)
        self.out = nn.Identity() if config.hidden == config.dim else nn.Linear(config.hidden, config.dim)
        self.norm = nn.LayerNorm(config.dim)

    def initialise(self, generator: torch.Generator) -> None:
        """See `LayerAggregation.initialise`. The spread is torch's."""
        bound = self.gru.hidden_size**-0.5
        for parameter in self.gru.parameters():
            parameter.uniform_(-bound, bound, generator=generator)

    def forward(self, features: Tensor) -> Tensor:
        states, _ = self.gru(features)  # [N, layers, hidden]
        heard: Tensor = self.norm(self.out(states[:, -1]) + features.mean(dim=1))  # [N, dim]
        return heard


class LearnedQueryAggregation(LayerAggregation):
    """What the layers answer to questions that were learned, on average, and their mean."""

    def __init__(self, config: AlignerConfig) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.empty(QUERIES, config.dim))
        self.attention = Attention(config.dim)

    def initialise(self, generator: torch.Generator) -> None:
        """See `LayerAggregation.initialise`."""
        self.query.normal_(generator=generator)

    def forward(self, features: Tensor) -> Tensor:
        answers = self.attention.ask(self.query, *self.attention.read(features))  # [queries, N, dim]
        return answers.mean(dim=0) + features.mean(dim=1)  # [N, dim]


class CrossAttentionAggregation(LayerAggregation):
    """What the layers answer to the listener, and their mean: a song sounds different to each listener.

    deepened: the layers hear each other first, in a layer of a transformer's encoder (self-cross-attention).
    A listener asks with what the user tower says of them; where that is of another size than a layer, a linear map
    brings it there.
    """

    def __init__(self, config: AlignerConfig, *, deepened: bool) -> None:
        super().__init__()
        same = config.projection == config.dim
        self.layers = SelfAttentionLayer(config.dim, config.hidden) if deepened else nn.Identity()
        self.question = nn.Identity() if same else nn.Linear(config.projection, config.dim)
        self.attention = Attention(config.dim)
        self.norm = nn.LayerNorm(config.dim)

    def read(self, features: Tensor) -> Readable:
        """Everything about songs [N, layers, dim] that no listener changes."""
        layers = self.layers(features)  # [N, layers, dim]
        return Readable(*self.attention.read(layers), layers.mean(dim=1))

    def listen(self, songs: Readable, listeners: Tensor) -> Tensor:
        """N songs as M listeners [M, projection], from the tower, hear them: [M, N, dim]."""
        told = self.attention.ask(self.question(listeners), songs.keys, songs.values)  # [M, N, dim]
        heard: Tensor = self.norm(told + songs.mean)  # [M, N, dim]
        return heard


def aggregation(config: AlignerConfig) -> LayerAggregation:
    """The module that a config asks for."""
    match config.aggregation:
        case "gating":
            return GatingAggregation(config)
        case "mean":
            return MeanAggregation()
        case "weighted":
            return WeightedAggregation(config)
        case "gating-softmax" | "gating-tanh":
            return JointGatingAggregation(config, tanh=config.aggregation == "gating-tanh")
        case "GRU":
            return GRUAggregation(config)
        case "learned-query":
            return LearnedQueryAggregation(config)
        case "cross-attention" | "self-cross-attention":
            return CrossAttentionAggregation(config, deepened=config.aggregation == "self-cross-attention")
