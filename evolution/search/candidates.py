"""The values that a search deals in: candidates, their scores, generations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

NEW_SEED = "new seed"
"""The operator that plays a prompt again with other random choices: another piece of the same kind."""

NOVEL = "novel prompt"
"""The operator that adds what descends from nobody."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One member of a population.

    genome: a prompt, or finite float32 [tokens, dim]; kept as a read-only copy.
    seed: what the generator's random choices start from, >= 0.
    prompt: how people read the genome: the text itself, or the nearest tokens of a vector ("" when unknown).
    parents: positions in the previous generation; none for a candidate made from nothing.
    operators: the names of what made it out of its parents, in the order in which they were applied.
    elite: kept from the previous generation with genome and seed, so it need not be played again.
    Two candidates are equal when everything about them is.
    """

    genome: str | Vectors
    seed: int
    prompt: str
    parents: tuple[int, ...] = ()
    operators: tuple[str, ...] = ()
    elite: bool = False

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"Candidate.seed: expected an integer >= 0, got {self.seed}")
        if isinstance(self.genome, str):
            return
        genome = np.array(self.genome, dtype="<f4", order="C")  # a copy that nobody else can change
        if genome.ndim != 2:
            raise ValueError(f"Candidate.genome: expected a prompt or [tokens, dim], got shape {genome.shape}")
        if not np.isfinite(genome).all():
            raise ValueError("Candidate.genome: expected finite numbers, got NaN or infinity")
        genome += np.float32(0.0)  # -0.0 becomes 0.0: equal numbers have equal bytes
        genome.setflags(write=False)
        object.__setattr__(self, "genome", genome)

    @cached_property
    def _bytes(self) -> bytes:
        if isinstance(self.genome, str):
            return b"text:" + self.genome.encode("utf-8", errors="surrogatepass")
        return b"float32:%dx%d:" % self.genome.shape + self.genome.tobytes()

    @property
    def identity(self) -> tuple[bytes, int]:
        """What decides how the candidate sounds: equal identities are played once."""
        return self._bytes, self.seed

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Candidate):
            return NotImplemented
        return (*self.identity, self.prompt, self.parents, self.operators, self.elite) == (
            *other.identity,
            other.prompt,
            other.parents,
            other.operators,
            other.elite,
        )

    def __hash__(self) -> int:
        return hash(self.identity)


def genome_bytes(candidate: Candidate) -> bytes:
    """The genome as bytes, for hashing: the same on every machine, different for different genomes."""
    return candidate._bytes


@dataclass(frozen=True, eq=False)
class Scores:
    """How a population did. All float32 [N], finite.

    fitness: what the search climbs, in [-1 - noise_weight, 1].
    likeness: how close to the taste, in [-1, 1].
    artefacts: how faulty the sound is, in [0, 1].
    """

    fitness: Vectors
    likeness: Vectors
    artefacts: Vectors

    def __post_init__(self) -> None:
        for name in ("fitness", "likeness", "artefacts"):
            values = np.array(getattr(self, name), dtype=np.float32)
            expected = (np.size(self.fitness),)
            if values.shape != expected:
                raise ValueError(f"Scores.{name}: expected the shape of fitness, {expected}, got {values.shape}")
            if not np.isfinite(values).all():
                raise ValueError(f"Scores.{name}: expected finite numbers, got NaN or infinity")
            values.setflags(write=False)
            object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return len(self.fitness)


@dataclass(frozen=True, eq=False)
class Generation:
    """One step of a search. index: how many generations came before. The scores stand in the candidates' order."""

    index: int
    candidates: tuple[Candidate, ...]
    scores: Scores

    def __post_init__(self) -> None:
        if not self.candidates or len(self.candidates) != len(self.scores):
            raise ValueError(
                f"Generation: expected a score for each of at least one candidate, "
                f"got {len(self.candidates)} candidates and {len(self.scores)} scores"
            )

    @property
    def best(self) -> float:
        return float(self.scores.fitness.max())

    @property
    def mean(self) -> float:
        return float(self.scores.fitness.mean())

    @property
    def median(self) -> float:
        return float(np.median(self.scores.fitness))

    @property
    def worst(self) -> float:
        return float(self.scores.fitness.min())

    def ranking(self) -> list[int]:
        """Positions of the candidates, the best first; equals in the order of the population."""
        return [int(position) for position in np.argsort(-self.scores.fitness, kind="stable")]
