"""From a configuration to the search that it describes."""

from __future__ import annotations

from collections.abc import Sequence

from evolution.config import Configuration, Search
from evolution.search.prompt_ga import PromptGA
from evolution.search.searcher import Searcher, derived_seed
from models_store.generators.base import TokenVocabulary
from models_store.prompts import Lexicon


def searcher(
    configuration: Configuration,
    *,
    seed: int,
    lexicon: Lexicon,
    vocabulary: TokenVocabulary | None = None,
    initial_prompts: Sequence[str] = (),
) -> Searcher:
    """The search of `configuration.evolution`.

    seed: of everything that the search draws.
    lexicon: the words of the prompts that it makes, for every mode begins with prompts.
    vocabulary: the generator's tokens; the vector modes need it.
    initial_prompts: what the first population is made of; where they are too few, the rest is drawn.
    Raises ValueError for a mode without what it needs, or operators that cannot work.
    """
    search = configuration.evolution.search
    if search.mode == "prompt GA":
        return PromptGA(
            lexicon=lexicon,
            population_size=search.population_size,
            seed=seed,
            elites=search.elites,
            novel_prompts=search.novel_prompts,
            tournament_size=search.tournament_size,
            sample=search.sample,
            temperature=search.temperature,
            initial_prompts=initial_prompts,
        )
    if vocabulary is None:
        raise ValueError(f"search.mode {search.mode!r}: expected a generator with a token vocabulary, got none")
    length = configuration.evolution.max_seq_len
    return _vector_ga(search, length, seed, lexicon, vocabulary, initial_prompts)


def _vector_ga(
    search: Search,
    length: int,
    seed: int,
    lexicon: Lexicon,
    vocabulary: TokenVocabulary,
    initial_prompts: Sequence[str],
) -> Searcher:
    from evolution.search.vectors import VectorGA, VectorOperator  # evotorch takes seconds to import

    beginning = PromptGA(
        lexicon=lexicon,
        population_size=search.population_size,
        seed=derived_seed(seed, "beginning"),
        initial_prompts=initial_prompts,
    ).initial_population()
    return VectorGA(
        initial=vocabulary.embed([candidate.prompt for candidate in beginning], length=length),
        population_size=search.population_size,
        seed=seed,
        vocabulary=vocabulary,
        operators=[VectorOperator(operator.name, operator.parameters) for operator in search.GA_operators],
        elites=search.elites,
        evotorch_parameters=search.evotorch,
    )
