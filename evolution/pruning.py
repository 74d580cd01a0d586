"""Forgetting what was heard once nobody needs it any more: evaluations are large, and can be played again."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from evolution.models import Candidate, Evaluation, Run

OVER = (Run.Status.DONE, Run.Status.STOPPED, Run.Status.FAILED)
_AT_ONCE = 2000


def prune(*, older_than: timedelta) -> int:
    """Delete the evaluations that no recording and no run that goes on needs; gives how many.

    older_than: since they were made, and since the last run that used them was over. Candidates and their scores stay.
    """
    moment = timezone.now() - older_than
    using = Candidate.objects.filter(evaluation=OuterRef("pk")).exclude(
        generation__round__run__status__in=OVER, generation__round__run__finished_at__lt=moment
    )
    unused = Evaluation.objects.filter(recording__isnull=True, created_at__lt=moment).exclude(Exists(using))
    forgotten = 0
    while keys := list(unused.values_list("pk", flat=True)[:_AT_ONCE]):
        with transaction.atomic():
            forgotten += Evaluation.objects.filter(pk__in=keys).delete()[1].get("evolution.Evaluation", 0)
    return forgotten
