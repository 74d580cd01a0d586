"""What is known of each diffusion family without loading it. Importing this imports no torch."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from models_store import instruments
from models_store.instruments import Entry, GenomeKind


@dataclass(frozen=True)
class Family:
    """One pipeline of diffusers and the models that it loads.

    pipeline: its class. shortest_seconds: what is made at least; a shorter piece is the beginning of one.
    steps, guidance: of the default model, where a model's folder says nothing else.
    What the instruments' table says of it is there: weights, licence, rate, longest piece, kinds of genomes.
    """

    name: str
    pipeline: str
    channels: int
    shortest_seconds: float
    steps: int
    guidance: float

    @property
    def entry(self) -> Entry:
        """What the instruments' table says."""
        return instruments.of("generator", self.name)

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.entry.sample_rate

    @property
    def longest_seconds(self) -> float:
        """The longest piece that the model learned from."""
        return self.entry.longest_seconds

    @property
    def genome_kinds(self) -> frozenset[GenomeKind]:
        """What it plays."""
        return self.entry.genome_kinds

    @property
    def needed(self) -> str:
        """What the folder has to be, told when it is something else."""
        return f"a folder in diffusers' format{f' ({self.entry.note})' if self.entry.note else ''}"


FAMILIES = (
    # MusicLDM (Chen et al. 2023, arXiv:2308.01546). Steps, guidance and length: MusicLDMPipeline.__call__.
    Family(name="musicldm", pipeline="MusicLDMPipeline", channels=1, shortest_seconds=1.0, steps=200, guidance=2.0),
    # AudioLDM 2 (Liu et al. 2023, arXiv:2308.05734). Steps, guidance and length: AudioLDM2Pipeline.__call__.
    Family(name="audioldm2", pipeline="AudioLDM2Pipeline", channels=1, shortest_seconds=1.0, steps=200, guidance=3.5),
    # Stable Audio Open (Evans et al. 2024, arXiv:2407.14358): 1024 latents of 2048 samples, whatever is asked for.
    Family(
        name="stable-audio", pipeline="StableAudioPipeline", channels=2, shortest_seconds=0.0, steps=100, guidance=7.0
    ),
    # Stable Audio 3 medium (arXiv:2605.17991): up to 380 s; the distilled model needs 8 steps and no guidance.
    Family(
        name="stable-audio-3", pipeline="StableAudio3Pipeline", channels=2, shortest_seconds=1.0, steps=8, guidance=1.0
    ),
    # ACE-Step 1.5 (arXiv:2602.00744): 10 s to 10 minutes; turbo models need 8 steps, no guidance.
    Family(name="ace-step", pipeline="AceStepPipeline", channels=2, shortest_seconds=10.0, steps=8, guidance=1.0),
)


def find(name: str) -> Family:
    """The family of this name. Raises ValueError, with those that there are, for another."""
    names = [family.name for family in FAMILIES]
    if name not in names:
        near = difflib.get_close_matches(str(name), names, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"family: expected one of {', '.join(names)}, got {name!r}{hint}")
    return FAMILIES[names.index(name)]
