"""The web process: small, quick to start, and without torch."""

from __future__ import annotations

import subprocess
import sys

from evomusic_site.environment import ROOT

PROGRAM = """
import sys, os
os.environ["DJANGO_SETTINGS_MODULE"] = "evomusic_site.settings"
import evomusic_site.asgi
from django.urls import get_resolver
get_resolver().url_patterns
heavy = {"torch", "torchaudio", "evotorch", "scipy", "sklearn", "matplotlib"}
heavy |= {"transformers", "diffusers", "huggingface_hub", "safetensors"}
print(sorted(heavy & set(sys.modules)))
"""


def test_nothing_that_the_web_process_imports_imports_torch():
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
