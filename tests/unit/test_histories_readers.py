"""Listening data sets in each format, read whole, and what is wrong with them told."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pytest

from models_store.aligner import readers
from models_store.aligner.readers import lastfm, listenbrainz, play_counts
from tests.unit import listening_files
from tests.unit.listening_files import SONGS, USERS


def _renamed(listening: dict[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    return {(user, listening_files.lastfm_id(song)): count for (user, song), count in listening.items()}


def _expected() -> dict[tuple[str, str], float]:
    return listening_files.told(listening_files.histories())


def test_last_fm_is_counted_per_user_and_track(tmp_path: Path) -> None:
    path = tmp_path / "userid-timestamp-artid-artname-traid-traname.tsv"
    lines = listening_files.lastfm_lines()
    path.write_text("".join(lines), encoding="utf-8")

    reading = readers.read("lastfm", path)

    assert listening_files.told(reading.histories) == _renamed(_expected())
    assert (reading.lines, reading.bad) == (len(lines), 0)
    assert f"{len(lines)} lines: 30 users" in str(reading)


def test_last_fm_is_read_from_gzip_too(tmp_path: Path) -> None:
    path = tmp_path / "listens.tsv.gz"
    path.write_bytes(gzip.compress("".join(listening_files.lastfm_lines()).encode()))

    assert listening_files.told(lastfm.read(path).histories) == _renamed(_expected())


def test_a_track_without_an_id_is_known_by_artist_and_title(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(
        "ann\t2009-05-04T23:08:57Z\t\tNick  Cave\t\tO Children \nann\t2009-05-05T00:00:00Z\t\tNICK CAVE\t\to children\n"
    )

    assert listening_files.told(lastfm.read(path).histories) == {("ann", "nick cave - o children"): 2}


def test_lines_of_last_fm_that_say_nothing_are_counted_and_left_out(tmp_path: Path) -> None:
    lines = [line.encode() for line in listening_files.lastfm_lines()]
    when = b"2009-05-04T23:08:57Z"
    bad = [
        b"user_000001\t" + when + b"\n",
        b"\t" + when + b"\t\tArtist\t\tTitle\n",
        b"user_000001\tyesterday\t\tArtist\t\tTitle\n",
        b"user_000001\t" + when + b"\t\tArtist\t\t\n",
        b"user_000001\t" + when + "\t\tÄrtist\t\tTitle\n".encode("latin-1"),
        b"us\xe9r\t" + when + b"\t\tArtist\t\tTitle\n",
        lines[0][: len(lines[0]) // 2],  # the file was cut
    ]
    path = tmp_path / "a.tsv"
    path.write_bytes(b"".join([*lines[:30], *bad[:-1], *lines[30:], bad[-1]]))

    reading = lastfm.read(path)

    assert listening_files.told(reading.histories) == _renamed(_expected())
    assert (reading.lines, reading.bad) == (len(lines) + len(bad), len(bad))
    assert "line 31: expected 6 fields" in reading.examples[0]
    assert f"{len(bad)} lines could not be read" in str(reading)


def _refused(kind: str, path: Path, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        readers.read(kind, path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("kind", ["lastfm", "play-counts", "listenbrainz"])
class TestWhatCannotBeRead:
    def test_a_file_that_is_not_there(self, kind: str, tmp_path: Path) -> None:
        _refused(kind, tmp_path / "nowhere", "cannot read it: .*No such file")

    @pytest.mark.parametrize("content", [b"", b" \n\n"])
    def test_an_empty_file(self, kind: str, content: bytes, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(content)
        _refused(kind, tmp_path / "a", "the file is empty")

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
    def test_another_encoding(self, kind: str, encoding: str, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("userid,id,count\nann,song,3\n" * 20, encoding=encoding)
        _refused(kind, tmp_path / "a", "expected text in UTF-8, got UTF-16")

    def test_gzip_that_is_cut(self, kind: str, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(gzip.compress(b"userid,id,count\nann,song,3\n" * 300)[:-20])
        _refused(kind, tmp_path / "a", "expected a whole text file")

    def test_some_other_file(self, kind: str, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("".join(f"{number} bottles of beer on the wall\n" for number in range(5000)))
        _refused(kind, tmp_path / "a", "expected the columns|lines cannot be read")

    def test_an_image(self, kind: str, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 20)
        _refused(kind, tmp_path / "a", "or no text at all")


def test_an_archive_is_to_be_unpacked_first(tmp_path: Path) -> None:
    listening_files.write_export(tmp_path / "a.tsv", USERS[0])
    _refused("lastfm", tmp_path / "a.tsv", "got an archive: unpack it first")


def test_a_wrong_file_is_refused_before_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("user_000001\tf\t22\tJapan\tAug 13, 2006\n" * 5000)
    _refused("lastfm", tmp_path / "a.tsv", "1000 of 1000 lines cannot be read, such as line 1: expected 6 fields")


def test_an_unknown_format_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    _refused("spotify", tmp_path, "expected a format of lastfm, play-counts, listenbrainz, got 'spotify'")


def test_play_counts_are_read(tmp_path: Path) -> None:
    reading = readers.read("play-counts", listening_files.write_play_counts(tmp_path / "clean_stats.csv"))

    assert listening_files.told(reading.histories) == _expected()
    assert reading.bad == 0


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffuserid,id,count\nann,x,2\nann,x,1.0\nbob,y,1\n",
        "Count;UserID;ID\r\n3;ann;x\r\n\r\n1;bob;y\r\n",
        'id\tuserid\tcount\tnote\n"x"\tann\t3\t"two\nlines"\ny\tbob\t1\t\n',
    ],
)
def test_play_counts_are_read_however_the_csv_was_written(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(content, encoding="utf-8", newline="")

    assert listening_files.told(play_counts.read(tmp_path / "a.csv").histories) == {("ann", "x"): 3, ("bob", "y"): 1}


def test_one_user_alone_is_an_ordinary_reading(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("userid,id,count\nann,x,2\n")

    assert play_counts.read(tmp_path / "a.csv").histories.users == ("ann",)


def test_rows_of_play_counts_that_say_nothing_are_counted_and_left_out(tmp_path: Path) -> None:
    path = listening_files.write_play_counts(tmp_path / "a.csv")
    bad = ["1,ann,x", "1,ann,x,many", "1,ann,x,0", "1,ann,x,-3", "1,ann,x,nan", "1,ann,x,inf", "1,,x,1", "1,ann,,1"]
    path.write_bytes(path.read_bytes() + "\n".join(bad).encode() + "\n1,änn,x,1\n".encode("latin-1"))

    reading = play_counts.read(path)

    assert listening_files.told(reading.histories) == _expected()
    assert reading.bad == len(bad) + 1


def test_another_header_is_refused_with_the_columns_that_came(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,song,plays\nann,x,1\n")
    _refused("play-counts", tmp_path / "a.csv", "expected the columns userid, id, count, got 'user, song, plays'")


def test_a_header_alone_is_no_listening(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("userid,id,count\n")
    _refused("play-counts", tmp_path / "a.csv", "expected listens, got none")


def test_a_dump_of_listenbrainz_is_read_month_by_month(tmp_path: Path) -> None:
    assert listening_files.told(readers.read("listenbrainz", listening_files.write_dump(tmp_path)).histories) == (
        _expected()
    )


def test_the_export_of_one_user_is_read_with_what_they_hate(tmp_path: Path) -> None:
    path = listening_files.write_export(tmp_path / "export.zip", USERS[3])

    told = listenbrainz.read(path).histories

    theirs = {pair: count for pair, count in _expected().items() if pair[0] == USERS[3]}
    hated = next(iter(theirs))
    assert [(told.users[user], told.songs[song]) for user, song in told.disliked.tolist()] == [hated]
    assert listening_files.told(told) == {pair: count for pair, count in theirs.items() if pair != hated}


def test_a_folder_of_exports_packed_and_unpacked_is_one_data_set(tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    for number in range(4):
        listening_files.write_export(folder / f"{number}.zip", USERS[number])
    for number in (0, 1):  # one user's files apart from the other's
        with zipfile.ZipFile(folder / f"{number}.zip") as archive:
            archive.extractall(folder / str(number))
        (folder / f"{number}.zip").unlink()

    told = listenbrainz.read(folder).histories

    assert set(told.users) == set(USERS[:4])
    assert len(told) + len(told.disliked) == sum(user in USERS[:4] for user, _ in _expected())


def test_the_older_export_is_one_list_named_after_its_user(tmp_path: Path) -> None:
    path = tmp_path / "ann_b_lb-2020-08-10.json"
    path.write_text(json.dumps([listening_files.listen(SONGS[0]), listening_files.listen(SONGS[0])], indent=1))

    assert listening_files.told(listenbrainz.read(path).histories) == {("ann_b", SONGS[0]): 2}


def test_a_listen_without_an_id_is_known_by_artist_and_title(tmp_path: Path) -> None:
    said = {"user_name": "ann", "track_metadata": {"artist_name": "Nick Cave", "track_name": "O Children"}}
    (tmp_path / "a.jsonl").write_text(json.dumps(said) + "\n")

    assert listening_files.told(listenbrainz.read(tmp_path / "a.jsonl").histories) == {
        ("ann", "nick cave - o children"): 1
    }


def test_lines_of_listenbrainz_that_say_nothing_are_counted_and_left_out(tmp_path: Path) -> None:
    listening_files.write_dump(tmp_path)
    bad = ["[1]", '"text"', "{}", '{"user_name": "ann", "track_metadata": null}', '{"user_name": "ann"', '{"a": nul}']
    bad += ['{"user_name": "ann", "track_metadata": {"artist_name": 3, "track_name": [], "additional_info": 7}}']
    bad += [json.dumps(listening_files.listen(SONGS[0]))]  # whose?
    path = tmp_path / "listens" / "2024" / "1.jsonl"
    path.write_text(path.read_text() + "\n".join(bad))

    reading = listenbrainz.read(tmp_path)

    assert listening_files.told(reading.histories) == _expected()
    assert reading.bad == len(bad)


def test_listens_of_nobody_are_refused(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_text(json.dumps(listening_files.listen(SONGS[0])) + "\n")
    _refused("listenbrainz", tmp_path / "1.jsonl", "and a user_name somewhere")


def test_a_list_that_is_cut_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([listening_files.listen(SONGS[0])] * 9)[:-40])
    _refused("listenbrainz", tmp_path / "a.json", "expected a whole JSON list of listens")


@pytest.mark.parametrize("left", [0.5, 0.98])
def test_an_archive_that_is_cut_is_refused(left: float, tmp_path: Path) -> None:
    path = listening_files.write_export(tmp_path / "export.zip", USERS[0])
    path.write_bytes(path.read_bytes()[: int(left * path.stat().st_size)])
    _refused("listenbrainz", path, "expected a (whole )?zip archive")


def test_an_archive_with_a_damaged_member_is_refused(tmp_path: Path) -> None:
    path = listening_files.write_export(tmp_path / "export.zip", USERS[0])
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("listens/2024/1.jsonl").header_offset + 60
    content = bytearray(path.read_bytes())
    content[start : start + 40] = bytes(40)
    path.write_bytes(bytes(content))
    _refused("listenbrainz", path, "expected a whole zip archive")


def test_an_archive_without_listens_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme.md", "nothing here")
    _refused("listenbrainz", tmp_path / "a.zip", "expected listens, got none")
    (tmp_path / "empty").mkdir()
    _refused("listenbrainz", tmp_path / "empty", "the folder is empty")
