"""`python -m evolution.config` prints docs/configuration.md."""

import sys

from evolution.config import reference

if __name__ == "__main__":
    sys.stdout.write(reference.markdown())
