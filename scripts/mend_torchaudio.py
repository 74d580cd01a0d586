"""Let torchaudio import beside a CPU-only torch.

The last torchaudio wheel (2.11.0) is linked against CUDA. Beside a torch without CUDA its compiled part cannot
be loaded and the import fails, although everything used here (mel, MFCC, resampling) is plain Python. So the
compiled part is renamed, which torchaudio reads as "built without it". Safe to run any number of times.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path


def imports() -> bool:
    """Whether torchaudio can be imported, asked of a fresh interpreter."""
    return subprocess.run([sys.executable, "-c", "import torchaudio"], capture_output=True, check=False).returncode == 0


def main() -> int:
    spec = importlib.util.find_spec("torchaudio")
    if spec is None or spec.origin is None:
        print("torchaudio is not installed: run `make install` first", file=sys.stderr)
        return 1
    if imports():
        return 0
    moved = 0
    for library in (Path(spec.origin).parent / "lib").glob("*.so"):
        library.rename(library.with_suffix(".so.needs-cuda"))
        moved += 1
    if not imports():
        print("torchaudio still cannot be imported: try `python -c 'import torchaudio'`", file=sys.stderr)
        return 1
    print(f"torchaudio: this torch has no CUDA, so {moved} compiled libraries were set aside (not used here)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
