"""The pages of the API: one's tokens, and the documentation. Doors: parse, one call, answer."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from listening import views as pages
from listening.models import Listener, User
from public_api import documentation, tokens
from public_api.api import api
from public_api.forms import TokenForm

LARGEST_ID = 2**63 - 1


@never_cache
@require_http_methods(["GET", "POST"])
@pages.for_listener
def own_tokens(request: HttpRequest, listener: Listener) -> HttpResponse:
    """One's tokens and the form for another; a new one is shown in the answer that makes it, and never again."""
    user = listener.user
    if listener.is_guest or user is None:  # a token outlives the cookie, which is all that a guest could revoke it with
        return redirect("listening:account") if request.method == "POST" else _tokens(request, listener)
    form = TokenForm(request.POST if request.method == "POST" else None, user=user)
    if request.method == "POST" and form.is_valid():
        try:
            made = tokens.make(user=user, **form.cleaned_data)
        except tokens.TokenError as reason:
            form.add_error(None, str(reason))
        else:
            return _tokens(request, listener, form=TokenForm(user=user), made=made)
    return _tokens(request, listener, form=form, status=400 if form.errors else 200)


@require_POST
@pages.for_listener
def revoke(_request: HttpRequest, listener: Listener, token_id: int) -> HttpResponse:
    """End a token at once."""
    if listener.user is None or not tokens.revoke(user=listener.user, token_id=min(token_id, LARGEST_ID)):
        raise Http404
    return redirect("public_api:tokens")


@require_GET
def documented(request: HttpRequest) -> HttpResponse:
    """The documentation, made from the schema."""
    shown = documentation.read(api.get_openapi_schema())
    most = settings.API_REQUESTS_A_MINUTE
    return render(request, "public_api/documentation.html", {"documentation": shown, "requests_a_minute": most})


def _tokens(request: HttpRequest, listener: Listener, *, status: int = 200, **shown: object) -> HttpResponse:
    user: User | None = listener.user
    kept = tokens.of(user) if user else []
    context = pages.context(listener, tokens=kept, most=tokens.MOST, **shown)
    return render(request, "public_api/tokens.html", context, status=status)
