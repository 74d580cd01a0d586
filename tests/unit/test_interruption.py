"""Ctrl-C and SIGTERM end the work where nothing is half done, and are never lost."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import soundfile
import torch

from evolution import interruption
from evolution.interruption import Interrupted
from evomusic_site.environment import ROOT
from models_store import audio
from models_store.audio import Audio


@pytest.fixture(autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    """A process that was started in the background ignores SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def send(number: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", interruption.SIGNALS)
def test_the_first_signal_is_told_once_and_ends_the_work_at_the_next_check(number: int) -> None:
    told: list[str] = []
    done = []

    def work() -> None:
        with interruption.awaited(lambda: told.append("ending")):
            interruption.check()
            send(number)
            done.append("what was begun")
            assert not interruption.at_once()
            interruption.check()
            done.append("what comes next")

    with pytest.raises(Interrupted):
        work()
    assert done == ["what was begun"]
    assert told == ["ending"]


def test_the_second_signal_ends_it_where_it_is() -> None:
    done = []

    def work() -> None:
        with interruption.awaited(lambda: None):
            send()
            send(signal.SIGTERM)
            done.append("never")

    with pytest.raises(KeyboardInterrupt) as ended:
        work()
    assert not isinstance(ended.value, Interrupted)
    assert not done


WAITING = """
import asyncio, os, signal
from evolution import interruption

async def wait():
    asyncio.get_running_loop().call_later(0.2, os.kill, os.getpid(), signal.SIGINT)
    await asyncio.sleep(600)

try:
    with interruption.awaited(lambda: None):
        asyncio.run(wait())
except interruption.Interrupted:
    print("ended")
"""


def test_waiting_in_an_event_loop_ends_at_once() -> None:
    """In a process of its own: here another event loop may run, a browser's."""
    done = subprocess.run([sys.executable, "-c", WAITING], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout == "ended\n", done.stderr


def test_afterwards_signals_are_what_they_were_and_nothing_is_remembered() -> None:
    before = [signal.getsignal(number) for number in interruption.SIGNALS]
    with interruption.awaited(lambda: None):
        send()
    interruption.check()
    assert [signal.getsignal(number) for number in interruption.SIGNALS] == before
    with pytest.raises(KeyboardInterrupt):
        send()


def test_in_another_thread_nothing_is_changed() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work() -> None:
        with interruption.awaited(lambda: None):
            interruption.check()
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_signal_in_the_middle_of_encoding_is_not_lost_and_the_file_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Audio(torch.sin(torch.arange(48_000) / 20.0).reshape(1, 1, -1), 48_000)
    expected = audio.encode(sound)

    class Interrupting(io.BytesIO):
        """Called back from C, where a KeyboardInterrupt would be swallowed."""

        sent = 0

        def write(self, content: object) -> int:
            if not self.sent:
                type(self).sent = 1
                send()
            return super().write(content)  # type: ignore[arg-type]

    monkeypatch.setattr(audio.io, "BytesIO", Interrupting)
    with interruption.awaited(lambda: None):
        encoded = audio.encode(sound)
        with pytest.raises(Interrupted):
            interruption.check()
    assert Interrupting.sent
    assert encoded == expected
    assert soundfile.info(io.BytesIO(encoded)).frames >= 48_000


def test_a_process_that_was_asked_to_end_does_so_in_every_thread_and_asking_again_is_no_second_signal() -> None:
    ended: list[bool] = []

    def work() -> None:
        with pytest.raises(Interrupted):
            interruption.check()
        ended.append(True)

    with interruption.awaited(lambda: None):  # which forgets it afterwards
        interruption.check()
        interruption.request()
        interruption.request()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert not interruption.at_once()
    assert ended == [True]
