"""Aligners of the prototype: checkpoints {"model", "config", "optimizer"} of its AlignerV2, read into ours.

Its names, and what they are here (a module stands for its weight and bias):

    users.weight                        user_table
    fc1, linear1                        tower.first, tower.first_skip
    fc2, linear2, linear3, ln_usr       tower.second, tower.second_skip, tower.direct_skip, tower.norm
    temp                                log_temperature, with the opposite sign

The rest is in the tables below. Its music side takes MERT's 13 hidden states as they are, averaged over time, and its
songs are as wide as its common space. Its optimiser is not read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from models_store.aligner.config import Aggregation, AlignerConfig, Projection
from models_store.aligner.fitting import fitted
from models_store.aligner.model import AlignerV2
from models_store.checkpoints import Checkpoint

LAYERS = 13
"""MERT-v1-95M's hidden states; the prototype knows no other encoder for its AlignerV2."""

TEMPERATURE_BOUNDS = (1e-6, 1e6)
"""It has none: these are where a logarithm in float32 is still safe."""

_WRAPPED = "module."

Names = Mapping[str, str]
"""Parameters, or modules for all their parameters: the prototype's name -> ours."""

Ours = TypeVar("Ours", Aggregation, Projection)


@dataclass(frozen=True)
class Part(Generic[Ours]):
    """One of the prototype's choices for a part of the model.

    ours: what the choice is called here. names: of its parameters. dead: what it declares and does not use, and why
    that is so; it is ignored.
    """

    ours: Ours
    names: Names = field(default_factory=dict)
    dead: Mapping[str, str] = field(default_factory=dict)


def _attention(theirs: str, ours: str) -> Names:
    return {
        f"{theirs}.in_proj_weight": f"{ours}.into.weight",
        f"{theirs}.in_proj_bias": f"{ours}.into.bias",
        f"{theirs}.out_proj": f"{ours}.out",
    }


TOWER: Names = {
    "users.weight": "user_table",
    "fc1": "tower.first",
    "linear1": "tower.first_skip",
    "fc2": "tower.second",
    "linear2": "tower.second_skip",
    "linear3": "tower.direct_skip",
    "ln_usr": "tower.norm",
}

_JOINT_GATING: Names = {
    "gate": "aggregation.gate",
    "gate_transform": "aggregation.transform",
    "gate_norm": "aggregation.norm",
    "gate_out_norm": "aggregation.out_norm",
}

AGGREGATIONS: dict[str, Part[Aggregation]] = {
    "mean": Part("mean"),
    "weighted": Part("weighted", {"weights": "aggregation.weights"}),
    "gating": Part("gating-softmax", _JOINT_GATING),
    "gating-tanh": Part("gating-tanh", _JOINT_GATING),
    "cross-attention": Part(
        "cross-attention", {**_attention("gate", "aggregation.attention"), "gate_norm": "aggregation.norm"}
    ),
    "self-cross-attention": Part(
        "self-cross-attention",
        {
            **_attention("self_att.self_attn", "aggregation.layers.attention"),
            "self_att.linear1": "aggregation.layers.widen",
            "self_att.linear2": "aggregation.layers.narrow",
            "self_att.norm1": "aggregation.layers.attended_norm",
            "self_att.norm2": "aggregation.layers.norm",
            **_attention("cross_att", "aggregation.attention"),
            "ln_cross_att": "aggregation.norm",
        },
    ),
    "GRU": Part(
        "GRU",
        {"gru": "aggregation.gru", "ln_gru": "aggregation.norm"},
        {"linear": "the state is added to the mean as it is, which only works where it is as wide as a layer"},
    ),
    "learned_query": Part(
        "learned-query",
        {"query": "aggregation.query", **_attention("attention", "aggregation.attention")},
        {"ln_att": "it is applied and its result thrown away"},
    ),
}
"""Its `aggr`."""

_OWN: Names = {"fc3": "projection.own.widen", "fc4": "projection.own.narrow"}
_SHARED: Names = {"f5": "projection.shared.widen", "f6": "projection.shared.narrow"}

PROJECTIONS: dict[str, Part[Projection]] = {
    "linear": Part("linear", {**_OWN, "ln": "projection.norm"}),
    "shared": Part("shared", {**_SHARED, "ln2": "projection.norm"}),
    "shared+linear": Part("shared+linear", {**_OWN, **_SHARED, "ln": "projection.norm"}),
    "ln": Part("ln", {"ln": "projection.norm"}),
    "bn": Part("bn", {"bn": "projection.norm"}),
}
"""Its `prj`."""


def recognises(checkpoint: Checkpoint) -> bool:
    """Whether this is a checkpoint of the prototype, whole or not, and not one of ours."""
    return "aggr" in checkpoint.config or "prj" in checkpoint.config or "users.weight" in _bare(checkpoint.weights)


def aligner(checkpoint: Checkpoint) -> AlignerV2:
    """The prototype's aligner as ours: the same cosines.

    Raises ValueError, in the prototype's names, for a config that is not its own or does not fit the weights, and for
    weights that are missing, unexpected, of another shape or not finite.
    """
    config, weights = checkpoint.config, _bare(checkpoint.weights)
    for key, known in (("model", "AlignerV2"), ("encoder", "MERT")):
        if config.get(key, known) != known:
            raise ValueError(f"config.{key}: expected {known}, got {config[key]!r}")
    aggregation, projection = _part(config, "aggr", AGGREGATIONS), _part(config, "prj", PROJECTIONS)
    made = AlignerV2(_config(config, weights, aggregation.ours, projection.ours), seed=None)
    names, dead = _names(aggregation, projection, made.config)
    expected = _expected(made, names, learned=config.get("learnable_temp", "temp" in weights))
    found = fitted(expected, {name: value for name, value in weights.items() if _renamed(name, dead) is None})
    # What it multiplies its cosines by is the exponential of `temp`.
    logarithm = torch.tensor(math.log(made.config.temperature))
    state = {
        "log_temperature": -found.pop("temp") if "temp" in found else logarithm,
        "feature_mean": torch.zeros_like(made.feature_mean, device="cpu"),
        "feature_scale": torch.ones_like(made.feature_scale, device="cpu"),
    }
    state |= {_renamed(name, names) or name: value for name, value in found.items()}
    made.load_state_dict(state, assign=True)
    return made


def _config(
    config: Mapping[str, Any], weights: Mapping[str, Tensor], aggregation: Aggregation, projection: Projection
) -> AlignerConfig:
    """Ours, with the sizes of the tensors; where the prototype's config says another, something is wrong."""
    tables = {name: weights.get(name) for name in ("users.weight", "fc1.weight", "fc2.weight")}
    shapes = [tuple(table.shape) for table in tables.values() if table is not None and table.ndim == 2]
    if len(shapes) < len(tables):
        raise ValueError(f"expected the matrices {', '.join(tables)}, from which the sizes are read")
    (users, emb_size), (hidden, _), (size, _) = shapes
    for key, found in (("nusers", users), ("emb_size", emb_size), ("prj_size", size)):
        if config.get(key, found) != found:
            raise ValueError(f"config.{key}: expected {found}, as the weights have it, got {config[key]!r}")
    return AlignerConfig(
        users=users,
        layers=LAYERS,
        dim=size,
        emb_size=emb_size,
        hidden=hidden,
        projection=size,
        aggregation=aggregation,
        temperature=_temperature(config),
        projection_type=projection,
        tower="three-skips",
        standardised=False,
        temperature_bounds=TEMPERATURE_BOUNDS,
    )


def _temperature(config: Mapping[str, Any]) -> float:
    """The temperature at the start, which is also the last one where it is not learned."""
    given = config.get("temp")
    low, high = TEMPERATURE_BOUNDS
    if not isinstance(given, int | float) or isinstance(given, bool) or not low <= given <= high:
        raise ValueError(f"config.temp: expected a number from {low} to {high}, got {given!r}")
    return float(given)


def _names(aggregation: Part[Aggregation], projection: Part[Projection], ours: AlignerConfig) -> tuple[Names, Names]:
    """The names of the live parameters, and the dead ones with the reason."""
    names, dead = {**TOWER, **aggregation.names, **projection.names}, dict(aggregation.dead)
    if aggregation.ours == "GRU" and ours.hidden != ours.dim:
        # Its sum is not defined here: whoever trained this had the state brought back to the width of a layer.
        names["linear"] = "aggregation.out"
        del dead["linear"]
    return names, dead


def _expected(made: AlignerV2, names: Names, *, learned: bool) -> dict[str, Tensor]:
    """The tensors of a file, in the prototype's names, with their shapes; `temp` where it is learned.

    Our buffers and our temperature have no name there.
    """
    theirs = {ours: name for name, ours in names.items()}
    named = ((_renamed(ours, theirs), value) for ours, value in made.state_dict().items())
    expected = {name: value for name, value in named if name is not None}
    return {**expected, "temp": made.log_temperature} if learned else expected


def _renamed(name: str, names: Names) -> str | None:
    """What a parameter is called on the other side: by itself, or as one of its module; None if it has no name."""
    if name in names:
        return names[name]
    module, _, parameter = name.rpartition(".")
    return f"{names[module]}.{parameter}" if module in names else None


def _part(config: Mapping[str, Any], key: str, known: Mapping[str, Part[Ours]]) -> Part[Ours]:
    chosen = config.get(key)
    if not isinstance(chosen, str) or chosen not in known:
        raise ValueError(f"config.{key}: expected one of {', '.join(known)}; got {chosen!r}")
    return known[chosen]


def _bare(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names without what DataParallel puts before every one of them."""
    # A file may hold anything: a name that is a number would be no string.
    named = {str(name): value for name, value in weights.items()}
    wrapped = all(name.startswith(_WRAPPED) for name in named)
    return {name.removeprefix(_WRAPPED) if wrapped else name: value for name, value in named.items()}
