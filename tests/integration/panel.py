"""The staff panel as the tests use it: a small experiment, and texts that are posted and shown."""

from __future__ import annotations

import html
import io
import re

import numpy as np
import soundfile
from django.test import Client

SMALL = """\
epochs: 2
evolution:
  exp_name: small
  generations: 2
  duration: 1
  search:
    mode: prompt GA
    population_size: 4
"""


def post_text(staff: Client, text: str, **more: object):
    return staff.post("/laboratory/new/", {"way": "text", "text": text, "make": "", **more})


def sound(seconds: float = 1.5, *, level: float = 0.3) -> bytes:
    file = io.BytesIO()
    samples = level * np.sin(np.arange(int(22_050 * seconds)) * 0.06)
    soundfile.write(file, samples.astype("float32"), 22_050, format="WAV")
    return file.getvalue()


def shown_text(content: str) -> str:
    """What stands in the page's text area, as a browser would send it."""
    match = re.search(r'<textarea name="text"[^>]*>\n(.*?)</textarea>', content, re.DOTALL)
    assert match
    return html.unescape(match[1])
