"""The recipe of the shipped aligner: play songs, invent listeners, train, measure; and the same again to check it."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from models_store import catalog, checkpoints, devices
from models_store.aligner import concept_pool, shipped, training, world
from models_store.aligner.config import Aggregation, AlignerConfig, Projection
from models_store.aligner.model import AlignerV2
from models_store.encoders.base import AudioEncoder
from models_store.generators.base import MusicGenerator
from models_store.prompts import Lexicon

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what comes out: songs of these lengths in turn, listeners, the seed of it all, wiring."""

    songs: int = 2000
    listeners: int = 400
    seconds: tuple[float, ...] = world.LENGTHS
    seed: int = 1
    aggregation: Aggregation = "gating"
    projection_type: Projection = "affine"


@dataclass(frozen=True)
class WorldFigures(training.Figures):
    """The figures of an aligner in its synthetic world.

    mean_auc: the same as `auc`, with the mean reference listener's cosine in the place of each listener's own: how much
    is known of somebody of whom nothing is known. mean_agreement: the mean ROC AUC of that cosine against what the
    reference listeners' own cosines call positive; 0.5 says that they do not all like the same.
    """

    mean_auc: float
    mean_agreement: float


@dataclass(frozen=True)
class Studio:
    """Who plays and who hears."""

    generator: MusicGenerator
    encoder: AudioEncoder
    lexicon: Lexicon


def studio(
    *,
    generator: str = "soundfont",
    encoder: str = "spectral",
    generator_model: str | None = None,
    encoder_model: str | None = None,
) -> Studio:
    """Who plays and who hears, by the catalog's names; a model by its name on the hub or its folder, None: the default.

    Nothing is loaded yet. Raises ValueError for a name that is not known or that takes no model.
    """
    player = catalog.build_generator(generator, **({"model": generator_model} if generator_model else {}))
    ear = catalog.build_encoder(encoder, **({"model": encoder_model} if encoder_model else {}))
    return Studio(player, ear, catalog.lexicon(generator))


def make(
    recipe: Recipe,
    studio: Studio,
    *,
    out: Path,
    songs_file: Path | None = None,
    how: training.TrainingConfig | None = None,
    progress: bool = False,
) -> training.Trained:
    """Make an aligner and write it to `out`, and the concepts that the songs are told by beside it.

    songs_file: where the songs are kept, or come from if they are there; None: they are played and forgotten.
    how: of the training; None: as the shipped aligner was trained.
    Raises ValueError for a recipe that cannot be followed.
    """
    songs, listeners = _world(recipe, studio, songs_file, progress)
    config = AlignerConfig(
        users=recipe.listeners,
        layers=songs.embeddings.shape[1],
        dim=songs.embeddings.shape[2],
        aggregation=recipe.aggregation,
        projection_type=recipe.projection_type,
    )
    trained = training.train(
        songs.embeddings, listeners, config, how or training.TrainingConfig(), seed=recipe.seed, progress=progress
    )
    trained = replace(trained, figures=_measured(trained.aligner, songs, listeners, seed=recipe.seed))
    notes = {
        "recipe": asdict(recipe),
        "generator": studio.generator.name,
        "encoder": studio.encoder.name,
        "figures": asdict(trained.figures),
        "kinds": list(listeners.kinds),
        "scenes": list(listeners.scenes),
    }
    shipped.save(trained.aligner, out, notes=notes)
    _tell(songs, out, seed=recipe.seed)
    return trained


def check(checkpoint: Path, studio: Studio, *, songs_file: Path | None = None, progress: bool = False) -> WorldFigures:
    """Play the songs of a checkpoint's recipe again and measure it on those it was not trained on.

    Raises ValueError for a checkpoint that was made of other sounds, or that no recipe made.
    """
    aligner = shipped.load(checkpoint)
    notes = checkpoints.load(checkpoint).notes
    if "recipe" not in notes:
        raise ValueError(f"{checkpoint}: expected a checkpoint that train_aligner made; its recipe is not in it")
    for part, used in (("generator", studio.generator.name), ("encoder", studio.encoder.name)):
        if notes[part] != used:
            raise ValueError(f"{checkpoint}: was trained with the {part} {notes[part]!r}, not {used!r}")
    recipe = Recipe(**notes["recipe"])
    songs, listeners = _world(recipe, studio, songs_file, progress)
    return _measured(aligner, songs, listeners, seed=recipe.seed)


@torch.no_grad()
def _measured(aligner: AlignerV2, songs: world.Songs, listeners: world.Listeners, *, seed: int) -> WorldFigures:
    """The figures on the songs that are neither trained on nor stopped by."""
    test = training.split(len(songs), seed=seed).test
    heard, likes = songs.embeddings[test], listeners.likes[:, test]
    users = aligner.reference_users()
    own = aligner.cosines(users, heard) > 0  # [users, N]
    mean = aligner.cosines(users.mean(dim=0, keepdim=True), heard).expand(len(users), -1)  # [users, N]
    agreement = training.user_aucs(mean, own)
    return WorldFigures(
        **asdict(training.measure(aligner, heard, likes)),
        mean_auc=float(training.user_aucs(mean, likes).mean()),
        mean_agreement=float(agreement.mean()) if len(agreement) else 0.5,
    )


def _tell(songs: world.Songs, out: Path, *, seed: int) -> None:
    """Write the concepts beside an aligner; few songs may have none, and then none are left from before."""
    path = shipped.concepts_beside(out)
    path.unlink(missing_ok=True)
    try:
        concept_pool.concepts(songs, seed=seed).save(path)
    except concept_pool.TooFewSongsError as error:
        logger.warning("%s", error)


def _world(
    recipe: Recipe, studio: Studio, songs_file: Path | None, progress: bool
) -> tuple[world.Songs, world.Listeners]:
    """The songs and listeners of a recipe."""
    if songs_file is not None and songs_file.is_file():
        songs = world.load(songs_file)
        if len(songs) != recipe.songs:
            raise ValueError(f"{songs_file}: expected {recipe.songs} songs, got {len(songs)}; made for another recipe?")
        studio.encoder.prepare(devices.choose())  # only then it is known what it hears
        heard, expected = tuple(songs.embeddings.shape[1:]), (studio.encoder.layers, studio.encoder.dim)
        if heard != expected:
            raise ValueError(
                f"{songs_file}: expected songs that {studio.encoder.name} heard, {expected[0]} x {expected[1]}, "
                f"got {heard[0]} x {heard[1]}; made with another ear?"
            )
        logger.info("%d songs from %s", len(songs), songs_file)
    else:
        device = devices.choose()
        studio.generator.prepare(device)
        studio.encoder.prepare(device)
        songs = world.play_songs(
            studio.generator,
            studio.encoder,
            studio.lexicon,
            count=recipe.songs,
            seconds=recipe.seconds,
            seed=recipe.seed,
            progress=progress,
        )
        if songs_file is not None:
            songs_file.parent.mkdir(parents=True, exist_ok=True)
            world.save(songs_file, songs)
    return songs, world.invent_listeners(songs, count=recipe.listeners, seed=recipe.seed)
