"""What tracks are called."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Sequence

from evolution import runs
from listening.models import Listener
from models_store import catalog, prompts

LONGEST = 60
NUMBERED = ", no. "
KEY = re.compile(r"[a-g]( flat| sharp)? (major|minor)")


def of(listener: Listener, said: Sequence[str]) -> list[str]:
    """A title for each prompt; a listener's later tracks of the same name are numbered: `Calm jazz, no. 2`."""
    lexicon = catalog.lexicon(runs.configuration(listener.run).music_model)
    taken = Counter(name.split(NUMBERED)[0] for name in listener.tracks.values_list("title", flat=True))
    titles = []
    for prompt in said:
        name = title(prompt, lexicon)
        taken[name] += 1
        titles.append(name if taken[name] == 1 else f"{name}{NUMBERED}{taken[name]}")
    return titles


def title(prompt: str, lexicon: prompts.Lexicon) -> str:
    """What a track is called: mood, genre (else its first instrument) and key, as a heading."""
    said = prompts.parse(prompt, lexicon)
    subject = said.genre or (said.instruments[0] if said.instruments else "")
    name = " ".join(filter(None, (said.mood, subject))) or prompt.split(",")[0].strip() or "untitled"
    if said.key:
        name += f" in {said.key[:1].upper()}{said.key[1:]}" if KEY.match(said.key) else f" in {said.key}"
    return textwrap.shorten(name[:1].upper() + name[1:], LONGEST, placeholder=" …")
