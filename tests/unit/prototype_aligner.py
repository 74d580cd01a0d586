"""The prototype's aligner written out by plain formulas and torch's own modules: what ours is held against."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from tests.random_models.prototype_aligner import LAYERS


def gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def affine(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def layer_norm(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    centred = x - x.mean(dim=-1, keepdim=True)
    deviation = (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    return centred / deviation * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def torchs(module: nn.Module, weights: dict[str, Tensor], name: str) -> nn.Module:
    """A module of torch with the weights of that name, in evaluation mode."""
    own = {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}
    module.double().load_state_dict(own)
    return module.eval()


def attention(weights: dict[str, Tensor], name: str, query: Tensor, layers: Tensor) -> Tensor:
    width = layers.shape[-1]
    module = torchs(nn.MultiheadAttention(width, 1, batch_first=True), weights, name)
    return module(query, layers, layers)[0]


def unrolled_gru(weights: dict[str, Tensor], layers: Tensor) -> Tensor:
    """The last state of a GRU, one layer of the song after the other."""
    state = torch.zeros(len(layers), weights["gru.weight_hh_l0"].shape[1], dtype=layers.dtype)
    for step in range(layers.shape[1]):
        said = layers[:, step] @ weights["gru.weight_ih_l0"].T + weights["gru.bias_ih_l0"]
        kept = state @ weights["gru.weight_hh_l0"].T + weights["gru.bias_hh_l0"]
        (said_r, said_z, said_n), (kept_r, kept_z, kept_n) = said.chunk(3, dim=1), kept.chunk(3, dim=1)
        reset, update = torch.sigmoid(said_r + kept_r), torch.sigmoid(said_z + kept_z)
        state = (1 - update) * torch.tanh(said_n + reset * kept_n) + update * state
    return state


def aggregated(how: str, weights: dict[str, Tensor], user: Tensor, layers: Tensor) -> Tensor:
    """Songs [N, 13, width] as one user [width], from the tower, has them aggregated: [N, width]."""
    mean, count = layers.mean(dim=1), len(layers)
    question = user.expand(count, 1, -1)
    match how:
        case "mean":
            return mean
        case "weighted":
            return sum(weights["weights"][layer] * layers[:, layer] for layer in range(LAYERS))
        case "gating" | "gating-tanh":
            gate = affine(weights, "gate", layers.reshape(count, -1)).reshape(layers.shape)
            gate = gate.tanh() if how == "gating-tanh" else gate.exp() / gate.exp().sum(dim=1, keepdim=True)
            said = layer_norm(weights, "gate_norm", layers + gelu(affine(weights, "gate_transform", layers)))
            return layer_norm(weights, "gate_out_norm", (gate * said).sum(dim=1))
        case "cross-attention":
            return layer_norm(weights, "gate_norm", attention(weights, "gate", question, layers)[:, 0] + mean)
        case "self-cross-attention":
            width, hidden = layers.shape[-1], weights["self_att.linear1.weight"].shape[0]
            module = nn.TransformerEncoderLayer(width, 1, hidden, activation="gelu", batch_first=True)
            deepened = torchs(module, weights, "self_att")(layers)
            told = attention(weights, "cross_att", question, deepened)[:, 0]
            return layer_norm(weights, "ln_cross_att", told + deepened.mean(dim=1))
        case "GRU":
            state = unrolled_gru(weights, layers)
            same = state.shape[1] == layers.shape[2]
            return layer_norm(weights, "ln_gru", (state if same else affine(weights, "linear", state)) + mean)
        case "learned_query":
            answers = attention(weights, "attention", weights["query"].expand(count, -1, -1), layers)
            return answers.mean(dim=1) + mean
    raise ValueError(how)


def projected(how: str, weights: dict[str, Tensor], song: Tensor, user: Tensor) -> tuple[Tensor, Tensor]:
    """Songs [N, width] and a user [width] in the space where they are compared."""

    def deeper(first: str, second: str, x: Tensor) -> Tensor:
        return affine(weights, second, gelu(affine(weights, first, x))) + x

    match how:
        case "linear":
            return layer_norm(weights, "ln", deeper("fc3", "fc4", song)), user
        case "shared":
            return tuple(layer_norm(weights, "ln2", deeper("f5", "f6", x)) for x in (song, user))
        case "shared+linear":
            both = (deeper("fc3", "fc4", song), user)
            return tuple(layer_norm(weights, "ln", deeper("f5", "f6", x)) for x in both)
        case "ln":
            return layer_norm(weights, "ln", song), user
        case "bn":
            centred = (song - weights["bn.running_mean"]) / (weights["bn.running_var"] + 1e-5).sqrt()
            return centred * weights["bn.weight"] + weights["bn.bias"], user
    raise ValueError(how)


@torch.no_grad()
def prototypes_cosines(path: Path, heard: Tensor) -> Tensor:
    """What the prototype says of every user of its table and songs [N, 13, width]: [users, N]."""
    content = torch.load(path, weights_only=True)
    how, weights = content["config"], {name: value.double() for name, value in content["model"].items()}
    rows = []
    for embedding in weights["users.weight"]:
        hidden = gelu(affine(weights, "fc1", embedding)) + affine(weights, "linear1", embedding)
        reached = gelu(affine(weights, "fc2", hidden)) + affine(weights, "linear2", hidden)
        user = layer_norm(weights, "ln_usr", reached + affine(weights, "linear3", embedding))
        song = aggregated(how["aggr"], weights, user, heard.double())
        song, user = projected(how["prj"], weights, song, user)
        rows.append(song @ user / song.norm(dim=1) / user.norm())
    return torch.stack(rows).float()
