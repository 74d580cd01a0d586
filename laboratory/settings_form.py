"""The main settings of an experiment as a form that writes a configuration's text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from django import forms
from django.conf import settings

from evolution.config import Configuration
from evolution.config.searching import Mode
from laboratory import drafts
from laboratory.forms import UploadsForm
from models_store import instruments
from models_store.instruments import Entry

DEFAULTS = Configuration()
PASTED, LLM, DRAWN = "pasted", "LLM", ""

_MODES = {
    "prompt GA": "prompt GA: words of structured prompts, no LLM",
    "token GA": "token GA: token ids",
    "LLM evolve": "LLM evolve: a language model as genetic operator",
    "full LLM": "full LLM: a language model writes each generation",
    "random": "random: the control, no search",
}
_WHAT_IS_LIKED = (
    ("dynamic", "dynamic: what is learned of the listener"),
    ("user", "user: what a reference listener likes"),
    ("music", "music: a piece of music"),
)


class SettingsForm(UploadsForm):
    """The main settings. What is not asked for keeps its default."""

    name = forms.CharField(max_length=40, initial="experiment")
    mode = forms.ChoiceField(
        label="Search",
        initial=DEFAULTS.evolution.search.mode,
        choices=[(mode, _MODES.get(mode, f"{mode}: embeddings, by evotorch")) for mode in get_args(Mode)],
    )
    fitness = forms.ChoiceField(label="What is liked", initial="dynamic", choices=_WHAT_IS_LIKED)
    noise_weight = forms.FloatField(
        label="Weight of faults in the sound", min_value=0.0, initial=DEFAULTS.evolution.fitness.noise_weight
    )
    epochs = forms.IntegerField(label="Rounds", min_value=1, max_value=1000, initial=5)
    generations = forms.IntegerField(
        label="Generations in a round", min_value=1, max_value=10_000, initial=DEFAULTS.evolution.generations
    )
    population_size = forms.IntegerField(
        label="Population", min_value=2, max_value=10_000, initial=DEFAULTS.evolution.search.population_size
    )
    elites = forms.FloatField(
        label="Share of elites", min_value=0.0, max_value=1.0, initial=DEFAULTS.evolution.search.elites
    )
    best_solutions = forms.IntegerField(
        label="Tracks of a playlist", min_value=1, max_value=1000, initial=DEFAULTS.user_model.best_solutions
    )
    music_model = forms.ChoiceField(label="Generator", initial=DEFAULTS.music_model)
    input_type = forms.ChoiceField(
        required=False,
        label="What it is given",
        choices=[("", "what the search makes")] + [(kind, kind) for kind in ("text", "token_embeddings", "embeddings")],
    )
    generator_model = forms.CharField(
        required=False,
        label="Its weights",
        help_text="A name on the hub, such as facebook/musicgen-medium. Empty: those named below.",
    )
    inference_steps = forms.IntegerField(
        required=False, min_value=1, max_value=1000, label="Steps of a diffusion", help_text="Empty: the model's own."
    )
    music_encoder = forms.ChoiceField(label="Ear", initial=DEFAULTS.music_encoder)
    encoder_model = forms.CharField(required=False, label="Its weights", help_text="Empty: those named below.")
    aligner = forms.ChoiceField(
        required=False,
        label="Aligner",
        help_text="It has to know the ear. The shipped one knows spectral; put others into aligner/.",
    )
    duration = forms.FloatField(
        label="Seconds of a candidate", min_value=0.5, max_value=600.0, initial=DEFAULTS.evolution.duration
    )
    best_duration = forms.FloatField(
        label="Seconds of a track", min_value=0.5, max_value=600.0, initial=DEFAULTS.evolution.best_duration
    )
    subspace = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=2000,
        label="Directions of the subspace",
        help_text="Absent: the whole space.",
    )
    snap = forms.BooleanField(required=False, label="Snap to the nearest tokens")
    initialization = forms.ChoiceField(required=False, label="First population")
    api_uri = forms.CharField(
        required=False,
        label="Address",
        initial="http://localhost:11434/v1",
        help_text="OpenAI-compatible. Prompts are sent there.",
    )
    model = forms.CharField(required=False, label="Model", initial="gpt-4o-mini")
    api_key = forms.CharField(
        required=False,
        label="Variable with the key",
        initial="LLM_API_KEY",
        help_text="The name of an environment variable that ends in _API_KEY, _TOKEN or _KEY, never the key. "
        "Empty: the endpoint asks for none.",
    )
    temperature = forms.FloatField(required=False, min_value=0.0, max_value=2.0, initial=0.7)

    SEARCHING = ("mode", "fitness", "name", "noise_weight")
    SIZES = ("epochs", "generations", "population_size", "elites", "best_solutions")
    SOUND = ("music_model", "generator_model", "input_type", "inference_steps", "duration", "best_duration")
    EAR = ("music_encoder", "encoder_model", "aligner")
    VECTORS = ("subspace", "snap")
    START = ("initialization", "prompts_file", "target_music", "prompts_text")
    MODEL = ("api_uri", "model", "api_key", "temperature")

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        for field, kind in (("music_model", "generator"), ("music_encoder", "encoder")):
            names = [entry.name for entry in self.instruments if entry.kind == kind]
            self.fields[field].choices = [(name, name) for name in names]  # type: ignore[attr-defined]
        self.fields["aligner"].choices = [  # type: ignore[attr-defined]
            ("", "the shipped one"),
            *((f"aligner/{path.name}", f"aligner/{path.name}") for path in _aligners()),
        ]
        self.fields["initialization"].choices = [  # type: ignore[attr-defined]
            (DRAWN, "drawn from the generator's words"),
            *((f"prompts/{path.name}", f"prompts/{path.name}") for path in _pools()),
            (PASTED, "the prompts below"),
            (LLM, "written by the language model"),
        ]

    def sections(self) -> Iterator[tuple[str, list[forms.BoundField]]]:
        """The fields under their headings, in the order of the page."""
        for heading, names in (
            ("Search", self.SEARCHING),
            ("Sizes", self.SIZES),
            ("Sound", self.SOUND),
            ("Ear", self.EAR),
            ("Start and target", self.START),
            ("Vector searches", self.VECTORS),
            ("Language model", self.MODEL),
        ):
            yield heading, [self[name] for name in names]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("initialization") == PASTED and not self.prompts_name and not self.errors:
            self.add_error("prompts_text", "Expected prompts, one a line, or a file of them.")
        key = cleaned.get("api_key", "")
        if key and not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,80}", key.strip().removeprefix("${").removesuffix("}")):
            self.data = dict(self.data.items()) | {"api_key": ""}  # it may be the key itself, which no page shows
            self.add_error("api_key", "Expected the name of an environment variable, such as LLM_API_KEY.")
        address, hidden = drafts.without_secrets(cleaned.get("api_uri", ""))
        if hidden:
            self.data = dict(self.data.items()) | {"api_uri": address}
            self.add_error("api_uri", "Expected an address without user, password or key: the key has a field below.")
        return cleaned

    @property
    def instruments(self) -> tuple[Entry, ...]:
        """What may be chosen, and what it can do."""
        return instruments.ENTRIES

    def text(self) -> str:
        """The configuration as YAML."""
        return yaml.safe_dump(_without_none(self._mapping()), sort_keys=False, allow_unicode=True, width=100)

    def _mapping(self) -> dict[str, Any]:
        given = self.cleaned_data
        start = given["initialization"]
        return {
            "epochs": given["epochs"],
            "music_model": given["music_model"],
            "music_encoder": given["music_encoder"],
            "encoder": {"model": given["encoder_model"] or None},
            "riffusion_pipeline" if given["music_model"] == "riffusion" else "music_generator": {
                "model": given["generator_model"] or None,
                "input_type": given["input_type"] or None,
                "inference_steps": given["inference_steps"],
            },
            "user_model": {
                "aligner": {"abs_file_path": given["aligner"] or None},
                "best_solutions": given["best_solutions"],
            },
            "evolution": {
                "exp_name": given["name"],
                "generations": given["generations"],
                "duration": given["duration"],
                "best_duration": given["best_duration"],
                "initialization": {DRAWN: None, LLM: "LLM"}.get(start, "file"),
                "init_file": {DRAWN: None, LLM: None, PASTED: self.prompts_name}.get(start, start),
                "LLM": self._language_model(),
                "fitness": {
                    "mode": given["fitness"],
                    "target_music": (self.target_name or None) if given["fitness"] == "music" else None,
                    "noise_weight": given["noise_weight"],
                },
                "search": {
                    "mode": given["mode"],
                    "population_size": given["population_size"],
                    "elites": given["elites"],
                    "subspace": given["subspace"],
                    "snap": True if given["snap"] else None,
                },
            },
        }

    def _language_model(self) -> dict[str, Any] | None:
        given = self.cleaned_data
        if "LLM" not in given["mode"] and given["initialization"] != LLM:
            return None
        key = given["api_key"].strip().removeprefix("${").removesuffix("}")
        return {
            "api_key": f"${{{key}}}" if key else None,
            "model": given["model"] or None,
            "api_uri": given["api_uri"] or None,
            "temperature": given["temperature"],
        }


def _pools() -> list[Path]:
    return sorted(Path(settings.BASE_DIR, "prompts").glob("*.txt"))


def _aligners() -> list[Path]:
    """Checkpoints of aligners; what lies beside one (`spectral.concepts.pt`) is none."""
    found = Path(settings.BASE_DIR, "aligner").glob("*.pt")
    return sorted(path for path in found if "." not in path.stem)


def _without_none(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is None and the sections that are empty then."""
    kept = {key: _without_none(value) if isinstance(value, Mapping) else value for key, value in mapping.items()}
    return {key: value for key, value in kept.items() if value is not None and value != {}}
