"""The prototype's AlignerV2 with random weights, in a file as its training writes it: model, optimizer, config.

Names and shapes are those of torch's own modules under the prototype's names; what it declares and never uses is there
too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

LAYERS = 13
AGGREGATIONS = (
    "mean",
    "weighted",
    "gating",
    "gating-tanh",
    "cross-attention",
    "self-cross-attention",
    "GRU",
    "learned_query",
)
PROJECTIONS = ("linear", "shared", "shared+linear", "ln", "bn")

Size = Literal["tiny", "report"]

_SIZES: dict[Size, tuple[int, int, int, int]] = {"tiny": (9, 6, 8, 10), "report": (967, 256, 768, 2048)}
"""Users, emb_size, prj_size, hidden_size; the report's are those of the published checkpoint."""


def write(
    file: Path,
    *,
    aggregation: str = "gating-tanh",
    projection: str = "shared",
    size: Size = "tiny",
    hidden: int | None = None,
    learned_temperature: bool = True,
    seed: int = 0,
) -> Path:
    """Write a checkpoint to `file`, optimiser and all. hidden: the width in between; None: that of the size."""
    weights = state(
        aggregation=aggregation,
        projection=projection,
        size=size,
        hidden=hidden,
        learned_temperature=learned_temperature,
        seed=seed,
    )
    config = configuration(
        aggregation=aggregation, projection=projection, size=size, learned_temperature=learned_temperature
    )
    torch.save({"model": weights, "optimizer": _optimiser(weights), "config": config}, file)
    return file


def configuration(
    *, aggregation: str, projection: str, size: Size = "tiny", learned_temperature: bool = True
) -> dict[str, Any]:
    """The config beside the weights: what the training was asked for, its defaults included."""
    users, emb_size, width, _ = _SIZES[size]
    return {
        "emb_size": emb_size,
        "batch_size": 64,
        "neg_samples": 20,
        "temp": 0.2,
        "learnable_temp": learned_temperature,
        "multiplier": 10,
        "weight": 0,
        "prj": projection,
        "aggr": aggregation,
        "nusers": users,
        "prj_size": width,
        "drop": 0.2,
        "lr": 0.001,
        "encoder": "MERT",
        "pat": 10,
        "model": "AlignerV2",
    }


def state(
    *,
    aggregation: str,
    projection: str,
    size: Size = "tiny",
    hidden: int | None = None,
    learned_temperature: bool = True,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Random weights under the prototype's names."""
    users, emb_size, width, usual = _SIZES[size]
    between = usual if hidden is None else hidden
    with torch.device("meta"):
        modules = {
            "users": nn.Embedding(users, emb_size),
            "linear1": nn.Linear(emb_size, between),
            "fc1": nn.Linear(emb_size, between),
            "linear2": nn.Linear(between, width),
            "fc2": nn.Linear(between, width),
            "ln_usr": nn.LayerNorm(width),
            "linear3": nn.Linear(emb_size, width),
            **_aggregation(aggregation, width, between),
            **_projection(projection, width, between),
        }
    shapes = {f"{name}.{own}": value for name, module in modules.items() for own, value in module.state_dict().items()}
    shapes |= {"weights": torch.empty(LAYERS)} if aggregation == "weighted" else {}
    shapes |= {"query": torch.empty(2, width)} if aggregation == "learned_query" else {}
    generator = torch.Generator().manual_seed(seed)
    drawn = {name: _drawn(name, value, generator) for name, value in shapes.items()}
    return {**drawn, "temp": torch.tensor(1.9)} if learned_temperature else drawn


def _aggregation(aggregation: str, width: int, hidden: int) -> dict[str, nn.Module]:
    match aggregation:
        case "gating" | "gating-tanh":
            return {
                "gate": nn.Linear(LAYERS * width, LAYERS * width),
                "gate_transform": nn.Linear(width, width),
                "gate_norm": nn.LayerNorm(width),
                "gate_out_norm": nn.LayerNorm(width),
            }
        case "cross-attention":
            return {"gate": nn.MultiheadAttention(width, 1), "gate_norm": nn.LayerNorm(width)}
        case "self-cross-attention":
            return {
                "self_att": nn.TransformerEncoderLayer(width, 1, dim_feedforward=hidden),
                "cross_att": nn.MultiheadAttention(width, 1),
                "ln_cross_att": nn.LayerNorm(width),
            }
        case "GRU":
            return {
                "gru": nn.GRU(width, hidden),
                "linear": nn.Linear(hidden, width),
                "ln_gru": nn.LayerNorm(width),
            }
        case "learned_query":
            return {"attention": nn.MultiheadAttention(width, 1), "ln_att": nn.LayerNorm(width)}
    return {}


def _projection(projection: str, width: int, hidden: int) -> dict[str, nn.Module]:
    own = {"fc3": nn.Linear(width, hidden), "fc4": nn.Linear(hidden, width)}
    shared = {"f5": nn.Linear(width, hidden), "f6": nn.Linear(hidden, width)}
    norm = nn.LayerNorm(width)
    parts: dict[str, dict[str, nn.Module]] = {
        "linear": {**own, "ln": norm},
        "shared": {**shared, "ln2": norm},
        "shared+linear": {**shared, **own, "ln": norm},
        "ln": {"ln": norm},
        "bn": {"bn": nn.BatchNorm1d(width)},
    }
    return parts[projection]


def _drawn(name: str, like: Tensor, generator: torch.Generator) -> Tensor:
    """Numbers of a size that keeps what flows through a layer near 1; nothing that an untrained module would hold."""
    if not like.is_floating_point():
        return torch.tensor(1000)
    numbers = torch.randn(like.shape, generator=generator)
    if name.endswith("running_var"):
        return numbers.square() + 0.2
    if like.ndim == 2:
        return numbers if name in ("users.weight", "query") else numbers * like.shape[1] ** -0.5
    return 0.3 * numbers + (1.0 if name.endswith("weight") else 0.0)


def _optimiser(weights: dict[str, Tensor]) -> dict[str, Any]:
    """The state of AdamW after a step."""
    parameters = [nn.Parameter(value) for value in weights.values() if value.is_floating_point()]
    optimiser = torch.optim.AdamW([parameter.detach().clone().requires_grad_() for parameter in parameters], lr=0.001)
    for parameter in optimiser.param_groups[0]["params"]:
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    return optimiser.state_dict()
