"""Measure the constants of the spectral encoder and print models_store/encoders/spectral_scale.py.

Material: pieces of five seconds from prompts drawn at random from the lexicon, played by `soundfont`, each at a
random level between -24 and 0 dB (the generator plays everything equally loud, other music is not). Run it only for
a new version of the encoder: new constants change what every stored embedding means.
"""

from __future__ import annotations

import argparse
import random
import sys

import torch
from torch import Tensor
from tqdm import tqdm

from models_store import catalog, prompts
from models_store.encoders.spectral import features

BATCH = 16
SECONDS = 5.0
LEAST_SPREAD = 0.15
"""Of the median spread of the layer: a feature that never moved here must not drown the others elsewhere."""

HEAD = '''"""Centre and spread of each feature of the spectral encoder, before scaling: constants, not learned weights.

Median, and root mean square from it, of {pieces} pieces: `python scripts/measure_spectral_scale.py --pieces {pieces}
--seed {seed}`. A changed number changes what every stored embedding and every aligner trained on this encoder means.
"""

from __future__ import annotations


def _table(text: str) -> tuple[tuple[float, ...], ...]:
    """A paragraph is a layer of 64 numbers."""
    return tuple(tuple(float(number) for number in layer.split()) for layer in text.strip().split("\\n\\n"))

'''


def measured(pieces: int, seed: int) -> Tensor:
    """Features before scaling, [pieces, layers, dim]."""
    generator = catalog.generator("soundfont")
    rng = random.Random(seed)
    batches = []
    for _ in tqdm(range(-(-pieces // BATCH)), file=sys.stderr):
        texts = [prompts.draw(catalog.lexicon("soundfont"), rng).text() for _ in range(BATCH)]
        sound = generator.generate(texts, seconds=SECONDS, seeds=[rng.randrange(1 << 31) for _ in texts])
        gains = torch.tensor([10 ** (-rng.uniform(0, 24) / 20) for _ in texts])
        batches.append(features(sound.samples * gains[:, None, None], sound.sample_rate))
    return torch.cat(batches)[:pieces]


def table(name: str, numbers: Tensor) -> str:
    """`name = _table(...)` with the layers as paragraphs of short lines."""
    layers = []
    for layer in numbers.tolist():
        lines = [""]
        for number in layer:
            word = f"{number:.4g}"
            if len(lines[-1]) + len(word) > 110:
                lines.append("")
            lines[-1] += f" {word}" if lines[-1] else word
        layers.append("\n".join(lines))
    return f'{name} = _table("""\n' + "\n\n".join(layers) + '\n""")\n"""[layers, 64]."""\n'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pieces", type=int, default=480)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    found = measured(arguments.pieces, arguments.seed)
    centres = found.median(dim=0).values
    spreads = (found - centres).square().mean(dim=0).sqrt()
    spreads = torch.maximum(spreads, LEAST_SPREAD * spreads.median(dim=1, keepdim=True).values)
    print(HEAD.format(pieces=arguments.pieces, seed=arguments.seed))
    print(table("CENTRES", centres))
    print(table("SPREADS", spreads), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
