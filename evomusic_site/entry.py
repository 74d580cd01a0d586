"""`python -m evomusic_site.entry ROLE`: become one process of the service, told everything by the environment.

The scripts in `deploy/entry/` call it; `make demo` starts the same command lines (`programs`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from environs import EnvError

from evomusic_site import environment, programs
from evomusic_site.environment import Environment
from evomusic_site.programs import Program

ROLES: dict[str, Callable[[Environment], Program]] = {
    "web": lambda settings: programs.web(settings.host, settings.port),
    "conductor": lambda _: programs.conductor(name=f"conductor{os.getpid()}"),
    "player": lambda _: programs.player(f"player{os.getpid()}"),
    "beat": lambda settings: programs.beat(settings.state_folder),
}
"""Workers are known to Celery by name and host; the process id tells two on one machine apart."""


def main(arguments: list[str]) -> int:
    """Replace this process by the role's; 1 with a sentence when it cannot be."""
    if len(arguments) != 1 or arguments[0] not in ROLES:
        print(f"expected one of {', '.join(ROLES)}, got {' '.join(arguments) or 'nothing'}", file=sys.stderr)
        return 1
    try:
        settings = environment.read()
    except (EnvError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    lacking = [name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name)]
    if lacking:
        print(f"{' and '.join(lacking)} must name the services; `make demo` brings its own", file=sys.stderr)
        return 1
    settings.state_folder.mkdir(parents=True, exist_ok=True)
    _become(ROLES[arguments[0]](settings))
    return 0


def _become(program: Program) -> None:
    """The same process goes on as the program, so that signals reach it."""
    os.nice(programs.NICENESS[program.role])
    os.chdir(environment.ROOT)
    os.execve(  # noqa: S606  # our own command line
        program.command[0],
        program.command,
        {**os.environ, **program.environment, "EVOMUSIC_ROLE": program.role},
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
