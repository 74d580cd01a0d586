"""MusicGen's codec in chunks, and pieces longer than its window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models_store.generators.musicgen import codec as codecs
from models_store.generators.musicgen import windows
from models_store.generators.musicgen.generator import MusicGen
from tests.random_models import musicgen
from tests.unit.small_musicgen import CLOSE, PROMPTS, SEEDS, apart, play, prepared

WINDOW = 60
"""Frames of the window of the model that plays long pieces: 1.2 s."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return musicgen.write(tmp_path_factory.mktemp("musicgen"))


@pytest.fixture(scope="module")
def player(folder: Path) -> MusicGen:
    return prepared(folder)


@pytest.fixture(scope="module")
def sound(player: MusicGen) -> Tensor:
    return play(player)


class TestWindows:
    @pytest.fixture(scope="class")
    def short_sighted(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return musicgen.write(tmp_path_factory.mktemp("windows"), window=WINDOW)

    @pytest.mark.parametrize("frames", [1, 59, 60, 61, 96, 97, 15_000])
    def test_windows_cover_a_piece_and_none_is_too_long(self, frames: int) -> None:
        found = windows.plan(frames, longest=WINDOW)
        assert sum(window.frames for window in found) == frames
        assert all(0 < window.known + window.frames <= WINDOW for window in found[1:])
        assert all(window.known == 24 for window in found[1:])

    def test_five_minutes_are_sixteen_windows_of_thirty_seconds(self) -> None:
        assert len(windows.plan(15_000, longest=1500)) == 16

    def test_no_room_is_refused(self) -> None:
        with pytest.raises(ValueError, match="windows: expected"):
            windows.plan(10, longest=0)

    def test_a_long_piece_goes_on_from_a_window_of_its_own(self, short_sighted: Path, player: MusicGen) -> None:
        limited = prepared(short_sighted)
        long, window = play(limited, seconds=3.0), play(limited, seconds=1.2)
        same = (WINDOW - 12) * 640  # the codec looks a few frames ahead
        assert apart(long[..., :same], window[..., :same]) < CLOSE
        assert apart(long, play(player, seconds=3.0)) > 0.01  # which decodes it at once

    def test_windows_are_decoded_from_the_end_of_what_came_before(self) -> None:
        heard: list[tuple[int, list[int], Tensor | None]] = []

        class Counting:
            """Codes that count the frames of a piece on."""

            def decode(self, _: Any, *, frames: int, seeds: list[int], beginning: Any, **__: Any) -> Tensor:
                heard.append((frames, seeds, beginning))
                first = 0 if beginning is None else int(beginning[0, 0, -1]) + 1
                return torch.arange(first, first + frames).expand(1, 4, frames)

        codes = windows.decode(
            Counting(),  # type: ignore[arg-type]
            None,  # type: ignore[arg-type]
            frames=150,
            longest=WINDOW,
            seeds=[5],
            sampling=None,  # type: ignore[arg-type]
        )
        assert torch.equal(codes, torch.arange(150).expand(1, 4, 150))
        assert [frames for frames, _, _ in heard] == [60, 36, 36, 18]
        assert [int(known[0, 0, 0]) for _, _, known in heard[1:] if known is not None] == [36, 72, 108]
        assert heard[0][1] == [5]
        assert len({tuple(seeds) for _, seeds, _ in heard}) == 4

    def test_a_long_piece_in_a_batch_sounds_as_it_does_alone(self, short_sighted: Path) -> None:
        limited = prepared(short_sighted)
        together = play(limited, seconds=2.0)
        for at, prompt in enumerate(PROMPTS):
            assert apart(play(limited, [prompt], [SEEDS[at]], 2.0), together[at : at + 1]) < CLOSE

    def test_a_folder_that_does_not_say_has_windows_of_thirty_seconds(self, tmp_path: Path, sound: Tensor) -> None:
        (musicgen.write(tmp_path) / "generation_config.json").unlink()
        assert apart(play(prepared(tmp_path)), sound) < CLOSE


class TestCodec:
    @pytest.fixture(scope="class")
    def reference(self) -> Any:
        return musicgen.model().audio_encoder

    def test_chunks_sound_as_the_whole(self, reference: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        codes = torch.randint(64, (3, 4, 83), generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            expected = reference.decode(codes[None], [None]).audio_values.detach()
        monkeypatch.setitem(codecs.FRAMES_AT_ONCE, "cpu", 7)
        monkeypatch.setitem(codecs.MOST_AT_ONCE, "cpu", 2)
        codec = codecs.Codec(musicgen.model().audio_encoder, channels=1, device=torch.device("cpu"))
        assert apart(codec.decode(codes, samples=83 * 640), expected) < CLOSE
        assert apart(codec.decode(codes, samples=50_001), expected[..., :50_001]) < CLOSE

    def test_it_sees_no_more_frames_than_its_margin(self, reference: Any) -> None:
        codec = codecs.Codec(musicgen.model().audio_encoder, channels=1, device=torch.device("cpu"))
        latents = torch.zeros(1, 64, 81, requires_grad=True)
        made = torch.nn.Sequential(*reference.decoder.layers[2:])(latents)
        made[0, 0, 40 * 640 : 41 * 640].sum().backward()
        assert latents.grad is not None
        reached = latents.grad[0].abs().sum(0).nonzero().flatten()
        assert 40 - codec.margin <= int(reached.min()) < 40 < int(reached.max()) <= 40 + codec.margin

    def test_codebooks_by_turns_are_left_and_right(self, reference: Any) -> None:
        codec = codecs.Codec(musicgen.model().audio_encoder, channels=2, device=torch.device("cpu"))
        codes = torch.randint(64, (2, 8, 20), generator=torch.Generator().manual_seed(0))
        made = codec.decode(codes, samples=20 * 640)
        with torch.no_grad():
            for side in range(2):
                expected = reference.decode(codes[None, :, side::2], [None]).audio_values[:, 0]
                assert apart(made[:, side], expected) < CLOSE

    def test_a_codec_that_cuts_pieces_itself_is_refused(self) -> None:
        model = musicgen.model().audio_encoder
        model.config.chunk_length_s = 1.0
        with pytest.raises(ValueError, match="chunk_length_s None"):
            codecs.Codec(model, channels=1, device=torch.device("cpu"))
