#!/usr/bin/env python
"""Django's command line. Commands that need the database, the broker or workers find them running."""

import os
import sys
from contextlib import nullcontext

WITHOUT_SERVICES = {
    *("help", "check", "collectstatic"),
    *("train_aligner", "evaluate_aligner", "embed_songs", "evaluate_taste"),
}
WITH_WORKERS = {"simulate"}


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evomusic_site.settings")
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    from django.core.management import execute_from_command_line
    from environs import EnvError

    from evomusic_site import environment, processes, services

    asks_for_help = bool({"-h", "--help"} & set(sys.argv))
    reads_ratings = any(argument.startswith(("ratings", "--histories=ratings")) for argument in sys.argv[2:])
    try:
        settings = environment.read()
        if (command not in WITHOUT_SERVICES or reads_ratings) and not asks_for_help:
            services.start(settings.state_folder)
        working = command in WITH_WORKERS and not asks_for_help
        with processes.workers(settings) if working else nullcontext():
            execute_from_command_line(sys.argv)
    except (services.ServiceError, processes.ProcessError, EnvError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
