"""From a configuration to the search that it describes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from evolution import config
from evolution.config import LLM_MODES, Configuration
from evolution.search import templates
from evolution.search.asking import Writer
from evolution.search.full_llm import FullLLM
from evolution.search.initial import initial_prompts
from evolution.search.llm_evolve import LLMEvolve
from evolution.search.prompt_ga import PromptGA
from evolution.search.random_search import RandomSearch
from evolution.search.searcher import Searcher, derived_seed
from evolution.search.token_ga import TokenGA
from models_store.generators.base import PromptSpace, TokenVocabulary
from models_store.prompts import Lexicon

if TYPE_CHECKING:
    from evolution.search.prompt_writer import PromptWriter

POOL = Path(__file__).resolve().parents[2] / "prompts" / "pool.txt"
"""Prompts as varied as the generators' words allow: how embedded prompts differ is measured on them."""


def searcher(
    configuration: Configuration,
    *,
    seed: int,
    lexicon: Lexicon,
    space: PromptSpace | None = None,
    prompts: Sequence[str] = (),
    writer: Writer | None = None,
) -> Searcher:
    """The search of `configuration.evolution`.

    seed: of everything that the search draws.
    lexicon: the words of the prompts that it draws.
    space: how the generator's prompts become numbers; whatever does not search prompts needs it, and the token GA
        and `snap` need its tokens.
    prompts: what the first population is sampled from; none: drawn from the lexicon.
    writer: a language model; the LLM modes need it.
    Raises ValueError for a mode without what it needs, and for what the search itself refuses.
    """
    mode = configuration.evolution.search.mode
    if mode in LLM_MODES:
        if writer is None:
            raise ValueError(f"search.mode {mode!r}: expected a language model, got none")
        return _written(configuration, seed, lexicon, prompts, writer)
    if mode == "prompt GA":
        return _prompt_ga(configuration, seed, lexicon, prompts)
    if mode == "random" and configuration.input_type == "text":
        size = configuration.evolution.search.population_size
        return RandomSearch(population_size=size, seed=seed, lexicon=lexicon, pool=prompts)
    if space is None:
        raise ValueError(f"search.mode {mode!r}: expected a generator that plays embeddings, got none")
    return _in_numbers(configuration, seed, lexicon, space, prompts)


def _written(
    configuration: Configuration, seed: int, lexicon: Lexicon, prompts: Sequence[str], writer: Writer
) -> Searcher:
    evolution, search = configuration.evolution, configuration.evolution.search

    def beginning() -> Sequence[str]:
        return _beginning(configuration, seed, lexicon, prompts)

    if search.mode == "full LLM":
        return FullLLM(
            writer=writer,
            lexicon=lexicon,
            beginning=beginning,
            population_size=search.population_size,
            seed=seed,
            elites=search.elites,
            novel_prompts=search.novel_prompts,
            template=search.full_LLM_prompt or templates.FULL_LLM_PROMPT,
            noise_weight=evolution.fitness.noise_weight,
        )
    operators = tuple(
        templates.LLMOperator(
            name=operator.name,
            prompt=operator.prompt,
            input=operator.input,
            output=operator.output,
            probability=operator.probability,
        )
        for operator in search.LLM_genetic_operators
    )
    return LLMEvolve(
        writer=writer,
        lexicon=lexicon,
        beginning=beginning,
        population_size=search.population_size,
        seed=seed,
        elites=search.elites,
        novel_prompts=search.novel_prompts,
        operators=operators or templates.OPERATORS,
        tournament_size=search.tournament_size,
        sample=search.sample,
        temperature=search.temperature,
    )


def _prompt_ga(configuration: Configuration, seed: int, lexicon: Lexicon, prompts: Sequence[str]) -> PromptGA:
    search = configuration.evolution.search
    return PromptGA(
        lexicon=lexicon,
        population_size=search.population_size,
        seed=seed,
        elites=search.elites,
        novel_prompts=search.novel_prompts,
        tournament_size=search.tournament_size,
        sample=search.sample,
        temperature=search.temperature,
        initial_prompts=_beginning(configuration, seed, lexicon, prompts) if prompts else (),
    )


def _in_numbers(
    configuration: Configuration, seed: int, lexicon: Lexicon, space: PromptSpace, prompts: Sequence[str]
) -> Searcher:
    search, length = configuration.evolution.search, configuration.evolution.max_seq_len
    size = search.population_size
    pool = (*prompts, *_shipped_pool())
    if search.mode == "random":
        return RandomSearch(population_size=size, seed=seed, lexicon=lexicon, pool=prompts, space=space, length=length)
    first = _beginning(configuration, seed, lexicon, prompts)
    if search.mode == "token GA":
        if not isinstance(space, TokenVocabulary):
            raise ValueError("search.mode 'token GA': expected a generator with a token vocabulary, got none")
        return TokenGA(
            initial_prompts=first,
            population_size=size,
            seed=seed,
            vocabulary=space,
            length=length,
            pool=pool,
            elites=search.elites,
            tournament_size=search.tournament_size,
            swap_rate=search.swap_rate,
        )
    from evolution.search.vectors.build import vector_searcher  # evotorch takes seconds to import

    return vector_searcher(search, length=length, seed=seed, space=space, initial_prompts=first, pool=pool)


def _beginning(configuration: Configuration, seed: int, lexicon: Lexicon, prompts: Sequence[str]) -> tuple[str, ...]:
    count = configuration.evolution.search.population_size
    return initial_prompts(count=count, seed=derived_seed(seed, "beginning"), lexicon=lexicon, prompts=prompts)


@lru_cache(maxsize=1)
def _shipped_pool() -> tuple[str, ...]:
    return config.read_prompts(POOL)


def writer(configuration: Configuration) -> PromptWriter | None:
    """The language model of a configuration; None where none is needed.

    Raises evolution.config.ConfigurationError for a key whose variable is not set, and ValueError for values that
    no endpoint takes.
    """
    evolution = configuration.evolution
    if evolution.LLM is None or not (evolution.search.mode in LLM_MODES or evolution.initialization == "LLM"):
        return None
    from evolution.search.prompt_writer import PromptWriter  # openai takes a second to import

    return PromptWriter(
        api_key=config.secrets.resolve(evolution.LLM.api_key) if evolution.LLM.api_key else "",
        model=evolution.LLM.model,
        api_uri=evolution.LLM.api_uri,
        temperature=evolution.LLM.temperature,
        concurrency=evolution.LLM.concurrency,
        timeout=evolution.LLM.timeout,
        retries=evolution.LLM.retries,
    )
