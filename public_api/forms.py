"""What is filled in for a new token."""

from __future__ import annotations

from typing import Any

from django import forms

from listening.models import User
from public_api.models import Token


class TokenForm(forms.Form):
    """Its name, what it opens, and how long."""

    name = forms.CharField(max_length=60, help_text="What it is for, for example: kitchen radio.")
    scopes = forms.MultipleChoiceField(
        label="It may", choices=Token.Scope.choices, widget=forms.CheckboxSelectMultiple, initial=[Token.Scope.LISTEN]
    )
    days = forms.TypedChoiceField(
        label="It holds for",
        coerce=int,
        choices=[(7, "a week"), (30, "30 days"), (90, "90 days"), (365, "a year")],
        initial=90,
    )

    def __init__(self, *arguments: Any, user: User, **more: Any) -> None:
        super().__init__(*arguments, **more)
        if not user.is_staff:
            only = Token.Scope.LISTEN
            self.fields["scopes"].choices = [(only.value, only.label)]  # type: ignore[attr-defined]
