"""The page where tokens are made and revoked, and the documentation."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from evomusic_site.middleware import POLICY
from listening import listeners
from listening.models import User
from public_api import tokens
from public_api.api import api as ninja_api
from public_api.models import Token

pytestmark = pytest.mark.django_db

ADDRESS = "/account/tokens/"


@pytest.fixture
def grace(client: Client) -> User:
    user = listeners.keep(listeners.make_guest(), username="grace", password="a long pass phrase").user
    assert user
    client.force_login(user)
    return user


def made(client: Client, *scopes: str, name: str = "kitchen radio") -> object:
    return client.post(ADDRESS, {"name": name, "scopes": scopes or ("listen",), "days": 30})


def test_a_token_is_shown_once_works_and_is_revoked(client: Client, grace: User):
    answered = made(client)
    (text,) = set(re.findall(r"evo_[0-9a-f]{12}_[\w-]{43}", answered.content.decode()))
    assert "no-store" in answered.headers["Cache-Control"]
    headers = {"Authorization": f"Bearer {text}"}
    assert Client().get("/api/v1/me", headers=headers).json()["name"] == "grace"
    page = client.get(ADDRESS).content.decode()
    assert "kitchen radio" in page
    assert text not in page
    assert client.post(f"{ADDRESS}{Token.objects.get().pk}/revoke/").status_code == 302
    assert Client().get("/api/v1/me", headers=headers).status_code == 401


def test_nobody_revokes_another_ones_token(client: Client, grace: User):
    ada = User.objects.create_user("ada")
    theirs = tokens.make(user=ada, name="hers", scopes=["listen"], days=1).token
    assert client.post(f"{ADDRESS}{theirs.pk}/revoke/").status_code == 404
    assert client.post(f"{ADDRESS}{10**30}/revoke/").status_code == 404
    assert Token.objects.filter(pk=theirs.pk).exists()
    assert "hers" not in client.get(ADDRESS).content.decode()


def test_a_token_for_experiments_is_for_staff(client: Client, grace: User):
    assert made(client, "listen", "experiments").status_code == 400
    assert not Token.objects.exists()
    User.objects.filter(pk=grace.pk).update(is_staff=True)
    assert made(client, "listen", "experiments").status_code == 200
    assert Token.objects.get().scopes == ["experiments", "listen"]


def test_who_is_no_longer_staff_has_no_token_for_experiments(client: Client, grace: User):
    User.objects.filter(pk=grace.pk).update(is_staff=True)
    grace.refresh_from_db()
    text = tokens.make(user=grace, name="lab", scopes=["experiments"], days=1).text
    headers = {"Authorization": f"Bearer {text}"}
    assert Client().get("/api/v1/experiments", headers=headers).status_code == 200
    assert Client().get("/api/v1/me", headers=headers).status_code == 403
    User.objects.filter(pk=grace.pk).update(is_staff=False)
    assert Client().get("/api/v1/experiments", headers=headers).status_code == 403


def test_there_are_not_more_tokens_than_one_can_look_after(client: Client, grace: User):
    for number in range(tokens.MOST):
        tokens.make(user=grace, name=str(number), scopes=["listen"], days=1)
    refused = made(client)
    assert refused.status_code == 400
    assert f"at most {tokens.MOST} tokens" in refused.content.decode()


def test_a_guest_is_sent_to_make_an_account_first(client: Client):
    guest = listeners.make_guest()
    client.force_login(guest.user)
    assert "Make an account" in client.get(ADDRESS).content.decode()
    assert made(client).status_code == 302
    assert not Token.objects.exists()


def test_who_is_not_there_is_sent_to_the_welcome_page(client: Client):
    assert client.get(ADDRESS).status_code == 302
    assert client.post(f"{ADDRESS}1/revoke/").status_code == 302


def test_the_account_page_leads_to_the_tokens(client: Client, grace: User):
    assert f'href="{ADDRESS}"' in client.get("/account/").content.decode()


def test_the_documentation_shows_every_operation_without_a_script_in_the_page(client: Client):
    answered = client.get("/api/v1/docs")
    page = answered.content.decode()
    schema = ninja_api.get_openapi_schema()
    for path, methods in schema["paths"].items():
        assert f"<code>{path}</code>" in page
        for said in methods.values():
            assert said["summary"].replace("'", "&#x27;") in page
    assert answered.headers["Content-Security-Policy"] == POLICY
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|https?://(?!testserver)", page)


def test_the_schema_is_there_for_everybody(client: Client):
    schema = client.get("/api/v1/openapi.json").json()
    assert schema["openapi"].startswith("3.")
    ids = [said["operationId"] for methods in schema["paths"].values() for said in methods.values()]
    assert len(ids) == len(set(ids)) >= 20


def test_staff_see_tokens_but_neither_their_text_nor_a_form_for_another(client: Client, admin_user: User):
    made = tokens.make(user=admin_user, name="radio", scopes=["listen"], days=1)
    client.force_login(admin_user)
    for address in ("/admin/public_api/token/", f"/admin/public_api/token/{made.token.pk}/change/"):
        page = client.get(address).content.decode()
        assert made.token.key in page
        assert made.text not in page
        assert made.token.digest not in page
    assert client.get("/admin/public_api/token/add/").status_code == 403
