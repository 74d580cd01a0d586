from django.apps import AppConfig
from django.conf import settings


class EvolutionConfig(AppConfig):
    name = "evolution"
    verbose_name = "Evolution: experiments, runs, what was evaluated"

    def ready(self) -> None:
        """The pure search knows no settings: it is told here whom this process may ask."""
        from evolution.search import reach

        reach.allow(settings.LLM_HOSTS)
