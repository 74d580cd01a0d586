"""What is asked of a player: which instruments, and which genome for how long."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from evolution import genomes

VERSION = 2
"""Part of every key: raise it when a generator or an encoder sounds or hears differently than before."""


@dataclass(frozen=True)
class Instruments:
    """What plays and what hears: the part of an evaluation that is the same for a whole run.

    parameters, encoder_parameters: what they are built with. device, encoder_device: where they run; None: a GPU
    where there is one. It is no part of what is heard.
    """

    generator: str = "soundfont"
    encoder: str = "spectral"
    parameters: dict[str, Any] = field(default_factory=dict)
    encoder_parameters: dict[str, Any] = field(default_factory=dict)
    device: str | None = None
    encoder_device: str | None = None

    @property
    def ear(self) -> Any:
        """What tells one ear from another, as JSON: the encoder's name, and how it is built where that is told."""
        return [self.encoder, self.encoder_parameters] if self.encoder_parameters else self.encoder


@dataclass(frozen=True)
class Take:
    """One genome to be played: with which seed, for how many seconds."""

    genome: genomes.Genome
    seed: int
    seconds: float

    def key(self, instruments: Instruments) -> str:
        """The hash of all that the sound and its embedding depend on."""
        genome = genomes.to_json(self.genome)
        played = {"generator": instruments.generator, "parameters": instruments.parameters, "encoder": instruments.ear}
        content = [VERSION, played, genome, self.seed, round(self.seconds, 6)]
        return blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=32).hexdigest()


@dataclass(frozen=True)
class SoundFile:
    """A file to be heard as it is, in windows of so many seconds.

    digest: the hash of its content, as hexadecimal digits.
    """

    path: Path
    digest: str
    window: float

    def key(self, instruments: Instruments) -> str:
        """The hash of all that its embedding depends on."""
        content = [VERSION, instruments.ear, self.digest, round(self.window, 6)]
        return blake2b(json.dumps(content).encode(), digest_size=32).hexdigest()
