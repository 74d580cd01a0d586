"""Write prompts/pool.txt: prompts drawn from what the embedded generator understands."""

from __future__ import annotations

import argparse
from pathlib import Path

from models_store import catalog, prompt_pool

POOL = Path(__file__).parents[1] / "prompts" / "pool.txt"
COUNT = 2_400
SEED = 1

_HEAD = """\
# {count} prompts in the words that the soundfont generator understands, one a line.
# Made by `python -m scripts.make_prompt_pool`; change that, not this file.
"""


def content() -> str:
    """What the file has to hold."""
    pool = prompt_pool.draw(COUNT, lexicon=catalog.lexicon("soundfont"), seed=SEED)
    return _HEAD.format(count=len(pool)) + "\n".join(pool) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=POOL, help="where to write it (default: %(default)s)")
    out = parser.parse_args().out
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(content(), encoding="utf-8")
    print(f"{COUNT} prompts in {out}")


if __name__ == "__main__":
    main()
