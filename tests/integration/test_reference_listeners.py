"""Reference listeners in PostgreSQL: imported in one call, and found by nearness."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
import torch
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from listening import reference_listeners
from listening.models import ReferenceListener
from models_store.aligner import shipped
from models_store.aligner.config import AlignerConfig
from models_store.aligner.model import AlignerV2

pytestmark = pytest.mark.django_db


def small_aligner(path: Path, *, users: int = 6, seed: int = 0, **notes: object) -> AlignerV2:
    aligner = AlignerV2(AlignerConfig(users=users, layers=1, dim=3, emb_size=4, hidden=4, projection=5), seed=seed)
    shipped.save(aligner, path, notes=notes)
    return aligner.eval().requires_grad_(False)


def test_every_reference_listener_of_the_shipped_aligner_becomes_a_row_with_its_kind() -> None:
    said = StringIO()

    call_command("import_reference_listeners", stdout=said)

    aligner = shipped.load_for("spectral")
    rows = list(ReferenceListener.objects.order_by("number"))
    assert [row.number for row in rows] == list(range(aligner.config.users))
    assert {row.encoder for row in rows} == {"spectral"}
    assert {row.kind for row in rows} == {"narrow", "contrary", "broad", "mixture"}
    torch.testing.assert_close(torch.tensor([list(row.embedding) for row in rows]), aligner.reference_users())
    assert f"{len(rows)} reference listeners for spectral are there" in said.getvalue()
    assert "broad" in said.getvalue()


def test_importing_again_changes_nothing_and_takes_one_statement(tmp_path: Path) -> None:
    small_aligner(tmp_path / "one.pt", encoder="spectral", kinds=["narrow"] * 6)
    reference_listeners.import_from(tmp_path / "one.pt")
    before = list(ReferenceListener.objects.values_list("pk", "number", "kind"))

    with CaptureQueriesContext(connection) as asked:
        reference_listeners.import_from(tmp_path / "one.pt")

    assert list(ReferenceListener.objects.values_list("pk", "number", "kind")) == before
    assert len([query for query in asked.captured_queries if "INSERT" in query["sql"]]) == 1


def test_the_nearest_are_those_of_the_highest_cosine_and_of_the_aligner_that_was_asked_for(tmp_path: Path) -> None:
    aligner = small_aligner(tmp_path / "one.pt", users=40, encoder="spectral")
    small_aligner(tmp_path / "other.pt", users=40, seed=1, encoder="spectral")
    here = reference_listeners.import_from(tmp_path / "one.pt").aligner
    reference_listeners.import_from(tmp_path / "other.pt")
    asked = torch.randn(5, generator=torch.Generator().manual_seed(3))

    found = reference_listeners.nearest(asked.tolist(), 4, aligner=here)

    cosine = aligner.project_users(aligner.reference_users()) @ (asked / asked.norm())
    assert [row.number for row in found] == cosine.argsort(descending=True)[:4].tolist()
    assert [row.distance for row in found] == pytest.approx(
        (1 - cosine.sort(descending=True).values[:4]).tolist(), abs=1e-5
    )
    assert {row.aligner for row in found} == {here}


def test_a_vector_of_another_space_and_an_unknown_aligner_are_refused(tmp_path: Path) -> None:
    small_aligner(tmp_path / "one.pt", encoder="spectral")
    here = reference_listeners.import_from(tmp_path / "one.pt").aligner

    with pytest.raises(ValueError, match="expected 5 numbers, got 2"):
        reference_listeners.nearest([1.0, 0.0], 3, aligner=here)
    with pytest.raises(ValueError, match="are not there"):
        reference_listeners.nearest([1.0] * 5, 3, aligner="0" * 64)
    with pytest.raises(ValueError, match="count of at least 1, got 0"):
        reference_listeners.nearest([1.0] * 5, 0, aligner=here)


def test_a_checkpoint_that_does_not_say_its_encoder_needs_to_be_told(tmp_path: Path) -> None:
    small_aligner(tmp_path / "silent.pt")

    with pytest.raises(CommandError, match="does not say which encoder"):
        call_command("import_reference_listeners", checkpoint=tmp_path / "silent.pt")
    call_command("import_reference_listeners", checkpoint=tmp_path / "silent.pt", encoder="mert", stdout=StringIO())

    assert set(ReferenceListener.objects.values_list("encoder", "kind")) == {("mert", "")}


def test_a_file_that_is_no_aligner_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "broken.pt").write_bytes(b"not a checkpoint")

    with pytest.raises(CommandError, match=r"broken\.pt"):
        call_command("import_reference_listeners", checkpoint=tmp_path / "broken.pt")

    assert not ReferenceListener.objects.exists()


def test_a_conductor_imports_the_shipped_ones_once(db, django_assert_num_queries):
    reference_listeners.import_shipped()
    there = ReferenceListener.objects.count()
    assert there == shipped.load_for("spectral").config.users
    with django_assert_num_queries(1):
        reference_listeners.import_shipped()
    assert ReferenceListener.objects.count() == there
