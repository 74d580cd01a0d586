"""What a listener fills in to share music, to take everything along, and to leave."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from listening import sharing
from listening.models import Listener
from listening.sharing import DAYS, LONGEST_NAME, Wish

WORD = "delete"
"""What a guest, who has no password, types to show that the click was meant."""


class ShareForm(forms.Form):
    """How long a link holds, and whom it is from."""

    days = forms.TypedChoiceField(
        label="The link holds",
        choices=[("", "until I take it back"), *((days, "a day" if days == 1 else f"{days} days") for days in DAYS)],
        coerce=int,
        empty_value=None,
        required=False,
    )
    signed_by = forms.CharField(
        label="From (may stay empty)",
        max_length=LONGEST_NAME,
        required=False,
        help_text="Whoever opens the link reads this. Left empty, the page names nobody.",
        widget=forms.TextInput(attrs={"autocomplete": "nickname"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        try:
            self.wish()
        except sharing.ShareError as error:
            self.add_error("signed_by", str(error))
        return cleaned

    def wish(self) -> Wish:
        """What was asked for. Raises sharing.ShareError for a name that cannot be shown."""
        return Wish(signed_by=self.cleaned_data.get("signed_by", ""), days=self.cleaned_data.get("days"))


class ExportForm(forms.Form):
    """Whether the sound comes along."""

    music = forms.BooleanField(required=False)


class DeletionForm(forms.Form):
    """The account's password; of a guest, a word."""

    def __init__(self, *args: Any, listener: Listener, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._listener = listener
        if self._by_password():
            self.fields["password"] = forms.CharField(
                label="Your password",
                strip=False,
                widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
            )
        else:
            attributes = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
            self.fields["word"] = forms.CharField(
                label=f"Type “{WORD}”", max_length=20, widget=forms.TextInput(attrs=attributes)
            )

    def clean_password(self) -> str:
        user, given = self._listener.user, self.cleaned_data["password"]
        if user is None or not user.check_password(given):
            raise ValidationError("This is not your password. Nothing was deleted.")
        return str(given)

    def clean_word(self) -> str:
        given: str = self.cleaned_data["word"]
        if given.strip().lower() != WORD:
            raise ValidationError(f"Expected the word {WORD}. Nothing was deleted.")
        return given

    def _by_password(self) -> bool:
        return self._listener.user is not None and self._listener.user.has_usable_password()
