"""Tokens for staff to see and to revoke; none is made here, where its text could not be shown."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from public_api.models import Token


@admin.register(Token)
class TokenAdmin(ModelAdmin):
    """Whose, what for, until when."""

    list_display = ("name", "user", "key", "scopes", "last_used_at", "expires_at")
    search_fields = ("name", "key", "user__username")
    readonly_fields = ("user", "name", "key", "scopes", "created_at", "expires_at", "last_used_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
