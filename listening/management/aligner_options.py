"""Options that the commands about aligners share, and what they say as the values that the work is asked with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from django.core.management.base import CommandParser

from models_store.aligner.config import Aggregation, Projection
from models_store.aligner.method import Method, Precision, Weights

if TYPE_CHECKING:  # it imports torch, for which `--help` should not wait
    from models_store.aligner.history_recipe import HistoryRecipe, Wiring
    from models_store.aligner.material import Material, Selection
    from models_store.aligner.measuring import Ranking
    from models_store.aligner.recipe import Studio

T = TypeVar("T")

RATINGS = "ratings"
"""Of our own listeners, from the database; the store is made of what they heard."""


def add_sources(parser: CommandParser) -> None:
    """Where listening histories and their songs come from."""
    group = parser.add_argument_group("listening histories (docs/aligner.md)")
    group.add_argument(
        "--histories",
        metavar="FORMAT:PATH",
        help=f"who listened to what: lastfm, play-counts or listenbrainz and a file; or {RATINGS}: our own listeners'",
    )
    group.add_argument("--store", type=Path, help="folder of the songs' embeddings: embed_songs makes it")
    group.add_argument("--splits", type=Path, help="a JSON file that says what to train and to test on (drawn)")
    group.add_argument("--new-users", type=float, help="share of the users kept out of the table, to test on (0.1)")
    group.add_argument("--least-listeners", type=int, help="songs with fewer are left out (1)")
    group.add_argument("--least-songs", type=int, help="users with fewer are left out (2)")
    group.add_argument("--most-songs", type=int, help="only so many, the most popular (all)")
    group.add_argument("--known", type=int, help="songs of which the taste of a user held out is learned (50)")
    group.add_argument("--device", help="cpu, cuda, cuda:1, mps (a GPU where there is one)")


def add_method(parser: CommandParser) -> None:
    """How an aligner is trained on histories."""
    known = Method()
    group = parser.add_argument_group("training on histories")
    for name, what in (
        ("epochs", "at most"),
        ("batch", "pairs of a user and a song per step"),
        ("negatives", "songs not listened to, for each pair"),
        ("pool", "songs that a batch draws them from"),
        ("patience", "epochs without a better AUC before the end"),
        ("ahead", "batches read ahead in a thread, 0 for none"),
    ):
        group.add_argument(f"--{name}", type=int, help=f"{what} ({getattr(known, name)})")
    group.add_argument("--steps", type=int, help="per epoch (songs / batch)")
    for name, what in (
        ("lr", "rate at the start; falls to a third on a plateau"),
        ("weight-decay", "of the weights"),
        ("table-decay", "of the user table"),
        ("noise", "added to the features, in their standard deviations"),
        ("liked", "share of the songs that a cosine is made positive for; 0 leaves it"),
    ):
        group.add_argument(f"--{name}", type=float, help=f"{what} ({getattr(known, name.replace('-', '_'))})")
    group.add_argument("--weights", choices=get_args(Weights), help=f"by what a play is drawn ({known.weights})")
    group.add_argument("--precision", choices=get_args(Precision), help=f"of products ({known.precision})")
    group.add_argument("--emb-size", type=int, help="of a user embedding (256)")
    group.add_argument("--projection-size", type=int, help="of the common space (768)")
    group.add_argument("--hidden", type=int, help="width of the layers in between (2048)")
    group.add_argument("--resume", action="store_true", help="go on with a training that was interrupted")
    group.add_argument("--tensorboard", type=Path, metavar="DIR", help="write its figures there for TensorBoard")
    group.add_argument("--wandb", metavar="PROJECT", help="tell Weights & Biases; WANDB_MODE=offline counts")


def add_wiring(parser: CommandParser) -> None:
    """What an aligner is built from."""
    parser.add_argument(
        "--aggregation",
        choices=get_args(Aggregation),
        default="gating",
        help="how the encoder's layers become one vector (%(default)s)",
    )
    parser.add_argument(
        "--projection",
        choices=get_args(Projection),
        default="affine",
        help="how that vector comes to the space of the listeners (%(default)s)",
    )


def material(options: dict[str, Any]) -> Material:
    """Histories and songs as they were named. Raises ValueError for what cannot be read."""
    from listening import histories
    from models_store.aligner import material

    if not options["histories"] or not options["store"]:
        raise ValueError("expected --histories FORMAT:PATH and --store DIR together, got one of them")
    progress = options["verbosity"] > 0
    if options["histories"] != RATINGS:
        return material.read(options["histories"], options["store"], encoder=options["encoder"], progress=progress)
    told, store = histories.collect(options["store"], encoder=options["encoder"] or "spectral", progress=progress)
    return material.Material(told, store, RATINGS)


def selection(options: dict[str, Any]) -> Selection:
    """What of the histories is used and held out."""
    from models_store.aligner.material import Selection

    return _given(Selection, options)


def method(options: dict[str, Any]) -> Method:
    """Raises ValueError for numbers that make no sense."""
    return _given(Method, options)


def wiring(options: dict[str, Any]) -> Wiring:
    """The report's sizes, but for what was given."""
    from models_store.aligner.history_recipe import Wiring

    named = {**options, "projection_type": options["projection"], "projection": options["projection_size"]}
    return _given(Wiring, named)


def refuse_without_histories(options: dict[str, Any]) -> None:
    """Raises ValueError for options that a synthetic world does not know."""
    from models_store.aligner.history_recipe import Wiring
    from models_store.aligner.material import Selection

    names = {field.name for kind in (Selection, Wiring, Method) for field in fields(kind)}
    names |= {"projection_size", "resume", "tensorboard", "wandb", "device"}
    names -= {"aggregation", "projection", "projection_type"}
    given = sorted(name for name in names if options.get(name) not in (None, False))
    if given:
        told = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ValueError(f"{told}: only for listening histories; expected --histories FORMAT:PATH as well")


def studio(options: dict[str, Any]) -> Studio:
    """Who plays and who hears in a synthetic world. Raises ValueError for a name that is not known."""
    from models_store.aligner import recipe

    return recipe.studio(
        generator=options["generator"],
        encoder=options["encoder"] or "spectral",
        generator_model=options["generator_model"],
        encoder_model=options["encoder_model"],
    )


def shown(recipe: HistoryRecipe) -> dict[str, Any]:
    """A recipe as others may see it: of files their names only."""
    content = asdict(recipe)
    content["selection"]["splits"] = recipe.selection.splits.name if recipe.selection.splits else None
    return content


def print_figures(write: Callable[[str], object], figures: dict[str, Any]) -> None:
    """A line for each."""
    for name, value in figures.items():
        write(f"{name:>14}  {value:.3f}" if isinstance(value, float) else f"{name:>14}  {value}")


def print_rankings(write: Callable[[str], object], known: Ranking | None, new: Ranking | None) -> None:
    """What is known of users with a row in the table, and of users without, side by side."""
    columns = {"in the table": known, "held out": new}
    told = {what: asdict(ranking) for what, ranking in columns.items() if ranking is not None}
    write(" " * 14 + "".join(f"{what:>14}" for what in told))
    for name in next(iter(told.values()), {}):
        values = (figures[name] for figures in told.values())
        write(
            f"{name:>14}" + "".join(f"{value:14.3f}" if isinstance(value, float) else f"{value:14}" for value in values)
        )


def _given(kind: type[T], options: dict[str, Any]) -> T:
    """A dataclass with the options that were given; the others are its own defaults."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in options.items() if name in names and value is not None})
