"""Weights that somebody else trained: where they are, and how to get them. Importing this imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_NOT_NEEDED = (
    "*.ckpt",
    "*.onnx*",
    "*.msgpack",
    "*.h5",
    "*.ot",
    "*.tflite",
    "*fp16*",
    "*_fairseq.pt",
    "*training_args.bin",
    "safety_checker/*",
    "unet_traced/*",
    "seed_images/*",
    "*.wav",
    "*.jpg",
)
"""Other formats of the same weights, parts that make no sound, and examples."""

_PICKLES, _SAFE = (".bin", ".pt", ".pth"), ".safetensors"
"""How files of weights end."""


@dataclass(frozen=True)
class Weights:
    """What is known of a model without having it.

    model: its name on the hub. gigabytes: about how much is fetched. gated: the hub asks for an account that has
    agreed to the licence.
    """

    model: str
    gigabytes: float
    licence: str
    gated: bool = False


class MissingWeightsError(ValueError):
    """Weights that are not on this machine; the message says which, how large, which licence, and how to get them."""


def locate(model: str, known: Iterable[Weights] = ()) -> Path:
    """The folder with the weights of a model: `model` itself when it is a folder, else where the hub's cache has it.

    Nothing is fetched. known: what is told of the model when it is missing.
    Raises MissingWeightsError.
    """
    if Path(model).is_dir():
        return Path(model)
    from huggingface_hub import get_cached_repo_tree, snapshot_download
    from huggingface_hub.errors import CachedRepoTreeNotFoundError, HFValidationError, IncompleteSnapshotError

    try:
        try:
            listing = [file.path for file in get_cached_repo_tree(model)]
        except CachedRepoTreeNotFoundError:  # somebody else's tool has fetched it, file by file
            listing = []
        folder = Path(snapshot_download(model, ignore_patterns=_not_needed(listing), local_files_only=True))
        # Without a listing nobody knows what is missing, but something has to be there.
        if not any(path.suffix in (*_PICKLES, _SAFE) for path in folder.rglob("*")):
            raise MissingWeightsError(_told(model, known, how="only in part"))
        return folder
    except HFValidationError:
        raise MissingWeightsError(f"{model}: expected a folder, or the name of a model on the hub") from None
    except IncompleteSnapshotError:
        raise MissingWeightsError(_told(model, known, how="only in part")) from None
    except OSError:
        raise MissingWeightsError(_told(model, known, how="not")) from None


def fetch(model: str) -> Path:
    """Get the weights of a model from the hub, or what of them is still missing; the folder that they are in.

    Raises MissingWeightsError, with the reason, when they cannot be had.
    """
    import httpx2  # what huggingface_hub speaks with
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    try:
        listing = [file.rfilename for file in HfApi().model_info(model).siblings or ()]
        return Path(snapshot_download(model, ignore_patterns=_not_needed(listing)))
    except GatedRepoError as error:
        raise MissingWeightsError(
            f"{model}: the hub gives it to accounts that have agreed to its licence: agree on its page, then log in "
            "with `hf auth login` or set HF_TOKEN"
        ) from error
    except RepositoryNotFoundError as error:
        raise MissingWeightsError(f"{model}: the hub knows no such model, or keeps it private") from error
    except HFValidationError as error:
        raise MissingWeightsError(f"{model}: expected the name of a model on the hub") from error
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise MissingWeightsError(f"{model}: could not be fetched ({reason})") from error


def _not_needed(listing: Iterable[str]) -> list[str]:
    """Patterns of what of a model's files is not needed: pickles, too, in a folder that has safetensors."""
    files = [PurePosixPath(file) for file in listing]
    safe = {file.parent for file in files if file.suffix == _SAFE}
    return [*_NOT_NEEDED, *(str(file) for file in files if file.suffix in _PICKLES and file.parent in safe)]


def _told(model: str, known: Iterable[Weights], *, how: str) -> str:
    entry = next((one for one in known if one.model == model), None)
    about = f" (about {entry.gigabytes:g} GB, {entry.licence})" if entry else ""
    agree = "; its licence has to be agreed to on the hub first" if entry and entry.gated else ""
    return (
        f"the weights of {model}{about} are {how} on this machine: get them with "
        f"`python manage.py fetch_models {model}`, or name a folder that has them{agree}"
    )
