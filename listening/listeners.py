"""Who listens: guests, accounts, synthetic listeners."""

from __future__ import annotations

import secrets
from typing import Any, cast

from django.conf import settings
from django.db import transaction

from evolution import runs
from evolution.models import Experiment, Run
from listening.models import Listener, User


def of_user(user: Any) -> Listener | None:
    """The listener that a user is; None for somebody who is not logged in or does not listen.

    Whom a session names has brought them along (`recognition`); of another user the database is asked.
    """
    if not user.is_authenticated:
        return None
    try:
        return cast(Listener, user.listener)
    except Listener.DoesNotExist:
        return None


@transaction.atomic
def make_guest() -> Listener:
    """A new listener without an account; the session is all that they have."""
    user = User(username=f"guest-{secrets.token_hex(8)}")
    user.set_unusable_password()
    user.save()
    return attach(user, is_guest=True)


@transaction.atomic
def attach(user: User, *, is_guest: bool = False) -> Listener:
    """The listener of a user, made when there is none."""
    known = of_user(user)
    return known or Listener.objects.create(user=user, run=runs.start(_assigned()), is_guest=is_guest)


@transaction.atomic
def make_synthetic(
    *,
    reference_user: int,
    seed: int,
    experiment: Experiment | None = None,
    conductor: str = Run.Conductor.SERVICE,
    rounds: int | None = None,
) -> Listener:
    """A synthetic listener who stands for one of the aligner's reference users.

    experiment: None: the one that people listen to. rounds: how many its run goes on by itself; None: none.
    """
    run = runs.start(experiment or _listening(), seed=seed, rounds_planned=rounds, conductor=conductor)
    return Listener.objects.create(reference_user=reference_user, run=run, is_guest=False)


@transaction.atomic
def keep(listener: Listener, *, username: str, password: str) -> Listener:
    """Turn a guest into an account: the same listener, so nothing is lost."""
    user = listener.user
    if user is None:
        raise ValueError(f"{listener}: expected a person, got a synthetic listener, who cannot have an account")
    user.username = username
    user.set_password(password)
    user.save(update_fields=["username", "password"])
    listener.is_guest = False
    listener.save(update_fields=["is_guest"])
    return listener


def _assigned() -> Experiment:
    """The experiment of somebody new: an open one, drawn by weight; without one, plain listening."""
    arms = list(Experiment.objects.filter(is_open=True).order_by("pk"))
    if not arms:
        return _listening()
    return secrets.SystemRandom().choices(arms, weights=[arm.weight for arm in arms])[0]


def _listening() -> Experiment:
    return runs.experiment(name="listening", configuration=settings.LISTENING_CONFIGURATION)
