"""Sound files and configurations that were made to harm: told, and never decoded at length."""

from __future__ import annotations

import contextlib
import io
import struct
import tracemalloc

import numpy as np
import pytest
import soundfile
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evolution import config, targets
from evolution.config import ConfigurationError
from models_store import audio

patiently = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture
def folder(tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path


def sound(
    kind: str, *, channels: int = 1, rate: int = 22_050, seconds: float = 1.5, subtype: str | None = None
) -> bytes:
    file = io.BytesIO()
    samples = 0.3 * np.sin(np.arange(int(rate * seconds)) * 0.06)
    soundfile.write(file, np.tile(samples[:, None], channels).astype("float32"), rate, format=kind, subtype=subtype)
    return file.getvalue()


BEGINNINGS = {kind: sound(kind) for kind in ("WAV", "FLAC", "OGG", "MP3")}


def refusal(content: bytes, name: str = "music.wav") -> str:
    """Why the file is refused; "" when it is kept."""
    try:
        targets.keep(io.BytesIO(content), name=name)
    except targets.TargetError as error:
        return str(error)
    return ""


@patiently
@given(st.binary(max_size=3000), st.sampled_from(["wav", "flac", "ogg", "mp3", "aiff", "../../x", "", "a\0b"]))
def test_bytes_of_any_kind_are_no_target_and_nothing_worse(folder, content, ending):
    told = refusal(content, f"music.{ending}")
    assert told
    assert str(folder) not in told


@patiently
@given(
    st.sampled_from(sorted(BEGINNINGS)),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=12),
    st.integers(50, 80_000),
)
def test_a_damaged_file_is_kept_or_told(folder, kind, changes, length):
    content = bytearray(BEGINNINGS[kind][:length])
    for place, value in changes:
        content[place % len(content)] = value
    tracemalloc.start()
    told = refusal(bytes(content), f"music.{kind.lower()}")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(folder) not in told
    assert peak < 64 * 2**20
    path = folder / f"music.{kind.lower()}"
    path.write_bytes(content)
    with contextlib.suppress(ValueError):
        assert audio.read(path, max_seconds=2.0).seconds <= 2.1


def flac_that_claims(samples: int) -> bytes:
    """A FLAC whose header (STREAMINFO, RFC 9639, 8.2) promises so many samples."""
    content = bytearray(BEGINNINGS["FLAC"])
    (packed,) = struct.unpack(">Q", content[18:26])
    content[18:26] = struct.pack(">Q", (packed & ~((1 << 36) - 1)) | samples)
    return bytes(content)


def test_a_header_that_claims_hours_is_refused_before_anything_is_decoded(folder):
    content = flac_that_claims((1 << 36) - 1)
    assert "expected 1 to 600 seconds of sound, got" in refusal(content, "music.flac")
    path = folder / "music.flac"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="expected at most 536,870,912 samples"):
        audio.read(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (sound("WAV", channels=9), "expected 1 to 8 channels, got 9"),
        (sound("WAV", channels=1000, rate=4000, seconds=1.1, subtype="PCM_U8"), "channels, got 1000"),
        (sound("WAV", rate=384_000), "expected 1000 to 192000 Hz, got 384000"),
        (sound("WAV", rate=500, seconds=3.0), "Hz, got 500"),
    ],
)
def test_what_no_music_has_is_refused(folder, content, expected):
    assert expected in refusal(content)


def test_silence_that_was_packed_small_is_not_unpacked(folder):
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 192_000, 8, format="FLAC", subtype="PCM_16") as writer:
        for _ in range(80):  # 80 s, 123 million samples
            writer.write(np.zeros((192_000, 8), dtype="int16"))
    assert len(file.getvalue()) < 5 * 2**20
    assert "expected at most 115,200,000 samples" in refusal(file.getvalue(), "music.flac")


KEYS = st.sampled_from(
    ["evolution", "search", "mode", "population_size", "LLM", "api_uri", "fitness", "user_model", "epochs", "duration"]
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**30, max_value=10**60),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(
        ["LLM evolve", "GA", "prompt GA", "${SECRET_KEY}", "/etc/passwd", "http://127.0.0.1/", 1e308, ".inf"]
    ),
)
STRUCTURES = st.recursive(
    VALUES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=20,
)


def configuration_of(text: str) -> str:
    """What is wrong with the text; "" when it is a configuration."""
    try:
        config.parse_text(text, allow_literal_secrets=False)
    except ConfigurationError as error:
        return str(error)
    return ""


@patiently
@given(st.one_of(st.dictionaries(KEYS, STRUCTURES, max_size=5), STRUCTURES))
def test_any_structure_is_a_configuration_or_told(structure):
    configuration_of(yaml.safe_dump(structure, allow_unicode=True))


@patiently
@given(st.text(st.sampled_from("abz: -\n[]{}&*!|>%@`\"'#,?\t0189._eE+~\0\ud800é"), max_size=200))
def test_any_text_is_a_configuration_or_told(text):
    configuration_of(text)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + place)}: &{chr(98 + place)} [{', '.join([f'*{chr(97 + place)}'] * 9)}]\n" for place in range(9)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BOMB, "alias"),
        ("evolution: " + "[" * 5000, "at most 20 levels"),
        ("evolution: " + "{a: " * 5000, "at most 20 levels"),
        ("evolution: !!python/object/apply:os.system [id]", "expected"),
        (f"epochs: {'9' * 5000}", "expected"),
        (f"epochs: 0x{'f' * 20000}", "expected"),
        ("epochs: 1:" + "59:" * 20000 + "1", "expected"),
        ("a: b\n" * 50_000, "at most 100 kB"),
        ("? " * 3000, "expected"),
        ("epochs: 1e999", "expected"),
        ("<<: {evolution: {}}\nepochs: 1", "<<: unknown key"),
    ],
)
def test_a_text_that_was_made_to_harm_is_told_what_is_wrong(text, expected):
    assert expected in configuration_of(text)
