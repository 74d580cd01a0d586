"""What staff fill in: a configuration's text with its uploads, who listens, the weight, the note."""

from __future__ import annotations

import secrets
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from evolution import runs, targets
from laboratory import experiments, places


class Upload(forms.FileField):
    """A file that need not be there."""

    def __init__(self, *, accept: str, **more: Any) -> None:
        super().__init__(required=False, widget=forms.ClearableFileInput(attrs={"accept": accept}), **more)


def target_field() -> Upload:
    """The music to come close to."""
    return Upload(
        accept="audio/*,.flac,.ogg,.aiff",
        label="Target music",
        help_text="For fitness music: WAV, FLAC, Ogg or MP3, 1 second to 10 minutes, at most 50 MB.",
    )


def prompts_text_field() -> forms.CharField:
    """Prompts to start from."""
    return forms.CharField(
        required=False,
        strip=False,
        label="Prompts",
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text="One a line, at least as many as the population. Lines that begin with # are skipped.",
    )


class UploadsForm(forms.Form):
    """Kept as soon as they come, so that a fault elsewhere does not ask for them again."""

    target_music = target_field()
    prompts_file = Upload(
        accept=".txt,text/plain", label="Prompts as a file", help_text="A text in UTF-8, at most 2 MB."
    )
    prompts_text = prompts_text_field()

    target_name = ""
    prompts_name = ""

    def clean_target_music(self) -> Any:
        upload = self.cleaned_data["target_music"]
        if upload:
            try:
                self.target_name = places.keep_target(upload)
            except targets.TargetError as error:
                raise ValidationError(str(error)) from None
        return upload

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        upload, text = cleaned.get("prompts_file"), cleaned.get("prompts_text", "").strip()
        name = "prompts_file" if upload else "prompts_text"
        content = upload.read(places.MOST_PROMPT_BYTES + 1) if upload else text.encode()
        if content or upload:
            try:
                self.prompts_name = places.keep_prompts(content, name=upload.name if upload else "prompts")
            except places.UploadError as error:
                self.add_error(name, str(error))
        return cleaned


class TextForm(UploadsForm):
    """An experiment as it will be made: its name, a note, and its configuration as text."""

    name = forms.CharField(
        required=False, max_length=40, help_text="Absent: exp_name. A number is added when somebody has it."
    )
    note = forms.CharField(required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 2}))
    text = forms.CharField(
        strip=False,
        label="Configuration",
        widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "false", "autocapitalize": "off", "wrap": "off"}),
    )


class StartForm(forms.Form):
    """Which reference users listen, and the seed."""

    listeners = forms.CharField(
        required=False, max_length=400, label="Reference listeners", help_text="Numbers and ranges: 0-4, 17."
    )
    count = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=experiments.MOST_LISTENERS,
        label="Or so many, drawn by the seed",
    )
    seed = forms.IntegerField(min_value=0, max_value=runs.LARGEST_SEED)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        named, count = cleaned.get("listeners", "").strip(), cleaned.get("count")
        if not self.errors and bool(named) == bool(count):
            raise ValidationError("Expected either the numbers of listeners or how many to draw.")
        return cleaned


class OpenForm(forms.Form):
    """Its share of new listeners beside the other open experiments."""

    weight = forms.FloatField(min_value=0.001, max_value=1000.0, initial=1.0)


class NoteForm(forms.Form):
    """What staff write down about an experiment."""

    note = forms.CharField(required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 3}))


def drawn_seed() -> int:
    """A seed to begin with, short enough to be written down."""
    return secrets.randbelow(1_000_000)
