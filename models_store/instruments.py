"""What is known of every generator and encoder without loading it. Importing this imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from models_store.weights import Weights

Kind = Literal["generator", "encoder"]
GenomeKind = Literal["text", "token_embeddings", "embeddings"]

EVERY_KIND: frozenset[GenomeKind] = frozenset({"text", "token_embeddings", "embeddings"})
TEXT_ONLY: frozenset[GenomeKind] = frozenset({"text"})

ANY_LENGTH = float("inf")


@dataclass(frozen=True)
class Entry:
    """One instrument.

    genome_kinds: what a generator plays; empty for an encoder. licence: of the sound font or of the default weights.
    sample_rate: Hz, what it plays or hears best. longest_seconds: the longest piece.
    weights: the models it is known to load, the default first; empty for an embedded one, which is always here.
    note: what else has to be done before the weights can be used.
    steps: whether it takes `inference_steps`. batched: whether a piece costs less the more are played at once.
    """

    name: str
    kind: Kind
    genome_kinds: frozenset[GenomeKind]
    licence: str
    sample_rate: int
    longest_seconds: float
    weights: tuple[Weights, ...] = ()
    note: str = ""
    steps: bool = False
    batched: bool = False

    @property
    def embedded(self) -> bool:
        """Whether it needs no weights from elsewhere."""
        return not self.weights

    @property
    def plays(self) -> str:
        """The kinds of genomes in words."""
        return ", ".join(kind for kind in get_args(GenomeKind) if kind in self.genome_kinds)

    @property
    def default_model(self) -> str | None:
        """The model that is loaded when none is named."""
        return self.weights[0].model if self.weights else None


def _generator(
    name: str,
    *weights: Weights,
    plays: frozenset[GenomeKind],
    sample_rate: int,
    longest_seconds: float,
    steps: bool = True,
    note: str = "",
) -> Entry:
    return Entry(
        name=name,
        kind="generator",
        genome_kinds=plays,
        licence=weights[0].licence,
        sample_rate=sample_rate,
        longest_seconds=longest_seconds,
        weights=weights,
        note=note,
        steps=steps,
        batched=True,
    )


def _encoder(name: str, *weights: Weights, sample_rate: int) -> Entry:
    return Entry(
        name=name,
        kind="encoder",
        genome_kinds=frozenset(),
        licence=weights[0].licence,
        sample_rate=sample_rate,
        longest_seconds=ANY_LENGTH,
        weights=weights,
        batched=True,
    )


_NO_COMMERCE = "CC-BY-NC 4.0"
_STABILITY = "Stability AI Community Licence"

ENTRIES = (
    Entry(
        name="soundfont",
        kind="generator",
        genome_kinds=frozenset({"text", "token_embeddings"}),
        licence="Apache-2.0; the default SoundFont, TimGM6mb by Tim Brechbill, GPL-2",
        sample_rate=32_000,
        longest_seconds=600.0,
    ),
    _generator(
        "musicgen",
        Weights("facebook/musicgen-small", 2.4, _NO_COMMERCE),
        Weights("facebook/musicgen-medium", 8.0, _NO_COMMERCE),
        Weights("facebook/musicgen-large", 13.7, _NO_COMMERCE),
        Weights("facebook/musicgen-stereo-small", 2.4, _NO_COMMERCE),
        Weights("facebook/musicgen-stereo-medium", 8.1, _NO_COMMERCE),
        Weights("facebook/musicgen-stereo-large", 13.8, _NO_COMMERCE),
        Weights("facebook/musicgen-melody", 6.2, _NO_COMMERCE),
        Weights("facebook/musicgen-melody-large", 10.5, _NO_COMMERCE),
        plays=EVERY_KIND,
        sample_rate=32_000,
        longest_seconds=300.0,
        steps=False,
    ),
    _generator(
        "riffusion",
        Weights("riffusion/riffusion-model-v1", 4.3, "CreativeML OpenRAIL-M"),
        plays=EVERY_KIND,
        sample_rate=44_100,
        longest_seconds=20.0,
    ),
    # Steps, lengths, rates and kinds of the diffusion families: models_store/generators/diffusion/families.py.
    _generator(
        "musicldm",
        Weights("ucsd-reach/musicldm", 2.0, "CC-BY-NC-SA 4.0"),
        plays=EVERY_KIND,
        sample_rate=16_000,
        longest_seconds=10.24,
    ),
    _generator(
        "audioldm2",
        Weights("cvssp/audioldm2-music", 4.4, "CC-BY-NC-SA 4.0"),
        Weights("cvssp/audioldm2", 4.4, "CC-BY-NC-SA 4.0"),
        Weights("cvssp/audioldm2-large", 6.0, "CC-BY-NC-SA 4.0"),
        plays=TEXT_ONLY,
        sample_rate=16_000,
        longest_seconds=10.24,
    ),
    _generator(
        "stable-audio",
        Weights("stabilityai/stable-audio-open-1.0", 10.0, _STABILITY, gated=True),
        plays=EVERY_KIND,
        sample_rate=44_100,
        longest_seconds=47.5,
    ),
    _generator(
        "stable-audio-3",
        Weights("stabilityai/stable-audio-3-medium", 10.4, _STABILITY, gated=True),
        Weights("stabilityai/stable-audio-3-medium-base", 10.4, _STABILITY, gated=True),
        plays=EVERY_KIND,
        sample_rate=44_100,
        longest_seconds=380.0,
        note="published in a format of its own: convert it with scripts/convert_stable_audio_3_to_diffusers.py of "
        "diffusers and name the folder",
    ),
    _generator(
        "ace-step",
        Weights("ACE-Step/acestep-v15-xl-turbo-diffusers", 12.0, "MIT"),
        Weights("ACE-Step/acestep-v15-xl-base-diffusers", 12.0, "MIT"),
        plays=TEXT_ONLY,
        sample_rate=48_000,
        longest_seconds=600.0,
    ),
    Entry(
        name="spectral",
        kind="encoder",
        genome_kinds=frozenset(),
        licence="Apache-2.0",
        sample_rate=44_100,
        longest_seconds=ANY_LENGTH,
    ),
    _encoder(
        "mert",
        Weights("m-a-p/MERT-v1-95M", 0.4, _NO_COMMERCE),
        Weights("m-a-p/MERT-v1-330M", 1.3, _NO_COMMERCE),
        sample_rate=24_000,
    ),
    _encoder(
        "clap",
        Weights("laion/larger_clap_music", 0.8, "Apache-2.0"),
        Weights("laion/clap-htsat-unfused", 0.6, "Apache-2.0"),
        sample_rate=48_000,
    ),
)


def find(kind: Kind, name: str) -> Entry | None:
    """The entry of this kind and name; None when there is none."""
    return next((entry for entry in ENTRIES if (entry.kind, entry.name) == (kind, name)), None)


def of(kind: Kind, name: str) -> Entry:
    """The entry of this kind and name. Raises ValueError when there is none."""
    entry = find(kind, name)
    if entry is None:
        raise ValueError(f"{kind}: expected one of {', '.join(one.name for one in ENTRIES)}, got {name!r}")
    return entry
