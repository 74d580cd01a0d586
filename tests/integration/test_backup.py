from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager

import boto3
import psycopg
import pytest
from django.db import connection
from moto.server import ThreadedMotoServer

from evomusic_site import archives, backups, dumps, services
from evomusic_site.environment import ROOT, S3
from evomusic_site.media import storage as media_storage
from listening.models import Rating, Track
from tests.integration.deployed import fresh_database


@pytest.fixture
def kept(transactional_db, listener, make_playlist, media):
    """A database with a listener, a playlist, ratings and recordings, and files that experiments name."""
    playlist = make_playlist(listener)
    for number, track in enumerate(Track.objects.filter(place__playlist=playlist)):
        Rating.objects.create(
            id=track.pk, listener=listener, track=track, value=1 if number % 2 else -1, seconds=3.5,
            given_at=playlist.made_at,
        )  # fmt: skip
    (media / "targets").mkdir()
    (media / "targets" / "a song.wav").write_bytes(b"\0\1" * 5000)
    return playlist


@pytest.fixture
def elsewhere(settings, state_folder, media, django_db_modify_db_settings):
    """Another installation: an empty database and an empty folder. `with` it we are there."""
    address = fresh_database(services.start_postgresql(state_folder / "postgresql"), "elsewhere")

    @contextmanager
    def there():
        known = connection.settings_dict
        before, settings.MEDIA_ROOT = known["NAME"], media.parent / "elsewhere"
        known["NAME"] = "elsewhere"
        try:
            yield settings.MEDIA_ROOT
        finally:
            known["NAME"], settings.MEDIA_ROOT = before, media

    there.address = address
    return there


def _manage(address, folder, *arguments):
    environment = {**os.environ, "DATABASE_URL": address, "EVOMUSIC_STATE": str(folder), "REDIS_URL": "redis://none"}
    command = [sys.executable, "manage.py", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def _content():
    """Every row of every table, as PostgreSQL writes them, and where the sequences stand."""
    with psycopg.connect(**dumps.parameters()) as held:
        tables = {
            table: sorted(row[0] for row in held.execute(f'SELECT t::text FROM public."{table}" t'))  # noqa: S608
            for table in dumps.tables(held)
        }
        return tables, held.execute("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1").fetchall()


def _kept_and_there(elsewhere):
    """What is in both databases: every row, and where the sequences stand."""
    with elsewhere():
        there = _content()
    return _content(), there


@pytest.mark.parametrize("name", ["kept.tar", "kept"])
def test_a_backup_brings_every_row_and_every_file_back_in_another_installation(kept, elsewhere, media, tmp_path, name):
    made = backups.write(tmp_path / name)
    with elsewhere() as folder:
        read = backups.restore(tmp_path / name)
        assert read == made
        assert _files(folder) == _files(media)
    here, there = _kept_and_there(elsewhere)
    assert there == here
    assert len(here[0]["listening_rating"]) == 4
    assert (made.missing, made.files) == ([], 5)


def test_the_commands_back_up_and_restore(kept, elsewhere, state_folder, media, tmp_path):
    here = elsewhere.address.replace("elsewhere", connection.settings_dict["NAME"])
    shutil.copytree(media, tmp_path / "first" / "media")
    backed_up = _manage(here, tmp_path / "first", "backup", tmp_path / "kept.tar")
    assert backed_up.returncode == 0, backed_up.stderr
    assert "5 files" in backed_up.stdout
    assert "SECRET_KEY is not in it" in backed_up.stdout
    restored = _manage(elsewhere.address, tmp_path / "second", "restore", tmp_path / "kept.tar")
    assert restored.returncode == 0, restored.stderr
    assert "rows and 5 files are back" in restored.stdout
    assert _files(tmp_path / "second" / "media") == _files(media)
    again = _manage(elsewhere.address, tmp_path / "second", "restore", tmp_path / "kept.tar")
    assert again.returncode == 1
    assert "expected an empty database, got one with" in again.stderr
    assert "Traceback" not in again.stderr


def _files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_database_that_holds_something_is_overwritten_only_when_told(kept, elsewhere, tmp_path):
    backups.write(tmp_path / "kept.tar")
    with psycopg.connect(elsewhere.address) as other:
        other.execute("CREATE TABLE precious AS SELECT 1 AS thing")
    with elsewhere() as folder:
        before = _content()
        with pytest.raises(backups.BackupError, match="expected an empty database, got one with 1 tables and 1 rows"):
            backups.restore(tmp_path / "kept.tar")
        assert _content() == before
        assert not folder.exists()
        backups.restore(tmp_path / "kept.tar", replace=True)
    here, there = _kept_and_there(elsewhere)
    assert there == here


def test_rows_that_come_while_it_is_written_are_not_half_in_it(kept, listener, make_playlist, tmp_path, elsewhere):
    before = _content()[0]
    written = []

    def more_comes(done, of):
        if not written:
            written.append(make_playlist(listener, number=2))

    backups.write(tmp_path / "kept.tar", on_file=more_comes)
    assert written
    with elsewhere():
        backups.restore(tmp_path / "kept.tar")
        assert _content()[0] == before


def test_a_recording_that_was_lost_is_told(kept, media, tmp_path):
    lost = next(media.glob("recordings/*"))
    lost.unlink()
    assert backups.write(tmp_path / "kept.tar").missing == [f"recordings/{lost.name}"]


def test_a_file_that_is_deleted_while_it_is_written_is_told_and_the_others_are_kept(kept, media, tmp_path):
    recordings = sorted((media / "recordings").iterdir())

    def somebody_deletes(done, of):
        recordings[-1].unlink(missing_ok=True)

    made = backups.write(tmp_path / "kept.tar", on_file=somebody_deletes)
    assert made.missing == [f"recordings/{recordings[-1].name}"]
    assert made.files == 4


def test_a_truncated_backup_changes_nothing(kept, elsewhere, tmp_path):
    whole = tmp_path / "kept.tar"
    backups.write(whole)
    for share in (0.1, 0.3, 0.6):
        cut = tmp_path / f"cut{share}.tar"
        cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
        with elsewhere(), pytest.raises(archives.ArchiveError, match="it is no backup, or not all of one"):
            backups.restore(cut)
    with elsewhere() as folder:
        assert _content()[0] == {}
        assert not folder.exists()


def test_a_changed_byte_is_found_before_anything_is_restored(kept, tmp_path):
    backups.write(tmp_path / "kept")
    changed = next((tmp_path / "kept" / "media" / "recordings").iterdir())
    changed.write_bytes(b"x" + changed.read_bytes()[1:])
    with pytest.raises(archives.ArchiveError, match=f"{changed.name} is damaged"):
        backups.restore(tmp_path / "kept", replace=True)


def test_what_is_no_backup_is_said_to_be_none(tmp_path):
    (tmp_path / "song.mp3").write_bytes(os.urandom(2000))
    (tmp_path / "folder").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text(json.dumps({"name": "a web application"}))
    for name, said in {
        "song.mp3": "cannot read it",
        "folder": "it is no backup",
        "other": "the manifest of an EvoMusic backup",
        "nothing.tar": "there is nothing",
    }.items():
        with pytest.raises(archives.ArchiveError, match=said):
            backups.restore(tmp_path / name)


def test_a_backup_cannot_name_files_outside_of_itself(kept, tmp_path):
    backups.write(tmp_path / "kept")
    path = tmp_path / "kept" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"]["media/../../outside"] = {"bytes": 1, "sha256": ""}
    path.write_text(json.dumps(manifest))
    with pytest.raises(archives.ArchiveError, match="names inside the backup"):
        backups.restore(tmp_path / "kept", replace=True)


def test_a_backup_of_a_newer_version_is_refused(kept, tmp_path):
    backups.write(tmp_path / "kept")
    path = tmp_path / "kept" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["migrations"].append(["listening", "9999_from_the_future"])
    path.write_text(json.dumps(manifest))
    with pytest.raises(backups.BackupError, match=r"listening\.9999_from_the_future"):
        backups.restore(tmp_path / "kept", replace=True)


def test_nothing_is_restored_while_the_service_runs(kept, tmp_path):
    backups.write(tmp_path / "kept.tar")
    with (
        psycopg.connect(**dumps.parameters(), application_name="evomusic web"),
        pytest.raises(backups.BackupError, match="stop it before"),
    ):
        backups.restore(tmp_path / "kept.tar", replace=True)


def test_a_dump_that_breaks_off_leaves_the_database_as_it_was(kept, tmp_path):
    before = _content()
    backups.write(tmp_path / "kept")
    dump = (tmp_path / "kept" / backups.DATABASE).read_bytes()
    (tmp_path / "half").write_bytes(dump[: len(dump) // 2])
    with (tmp_path / "half").open("rb") as file, pytest.raises(EOFError):
        dumps.read(file, server=_server(), replace=True)
    assert _content() == before


def test_statements_that_the_database_refuses_are_all_undone(kept, tmp_path):
    before = _content()
    (tmp_path / "wrong").write_bytes(gzip.compress(b"CREATE TABLE one (a int);\nSELECT nonsense;\n"))
    with (tmp_path / "wrong").open("rb") as file, pytest.raises(dumps.DumpError, match="nonsense"):
        dumps.read(file, server=_server(), replace=True)
    assert _content() == before


def _server():
    with psycopg.connect(**dumps.parameters()) as asked:
        return asked.info.server_version // 10000


def test_a_backup_that_cannot_be_finished_leaves_nothing(kept, tmp_path, monkeypatch):
    monkeypatch.setattr(backups, "_add_media", _full)
    for name in ("kept", "kept.tar"):
        with pytest.raises(OSError, match="No space left"):
            backups.write(tmp_path / name)
    assert not list(tmp_path.glob("kept*"))


def _full(*_):
    raise OSError(28, "No space left on device")


def test_a_backup_never_replaces_another(kept, tmp_path):
    backups.write(tmp_path / "kept.tar")
    with pytest.raises(archives.ArchiveError, match="expected a name that is not taken"):
        backups.write(tmp_path / "kept.tar")


def test_a_server_newer_than_every_pg_dump_is_told_with_the_remedy():
    with pytest.raises(dumps.DumpError, match="install postgresql-client-99"):
        dumps.program("pg_dump", 99)


def test_the_password_is_given_by_the_environment(monkeypatch):
    monkeypatch.setitem(dumps.connection.settings_dict, "PASSWORD", "swordfish")
    assert dumps._environment()["PGPASSWORD"] == "swordfish"


@pytest.fixture
def bucket():
    """An S3 service on loopback with one bucket: its client, and how the site is told of it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=endpoint, **keys)
    client.create_bucket(Bucket="music")
    yield client, S3("music", endpoint, "us-east-1", "", "a", "b")
    server.stop()


def test_recordings_go_from_a_folder_into_a_bucket_and_back(kept, elsewhere, media, tmp_path, bucket, settings):
    client, told = bucket
    backups.write(tmp_path / "kept.tar")
    with elsewhere() as folder:
        settings.STORAGES = {**settings.STORAGES, "default": media_storage(told)}
        backups.restore(tmp_path / "kept.tar")
        there = {one["Key"]: one["Size"] for one in client.list_objects_v2(Bucket="music")["Contents"]}
        assert there == {f"recordings/{path.name}": 1000 for path in (media / "recordings").iterdir()}
        assert _files(folder) == {"targets/a song.wav": b"\0\1" * 5000}
        backups.write(tmp_path / "from the bucket")
    assert _files(tmp_path / "from the bucket" / "media") == _files(media)
