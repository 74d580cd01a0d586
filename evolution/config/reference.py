"""`docs/configuration.md`, made from the schema: `python -m evolution.config > docs/configuration.md`."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from evolution.config import evotorch_parameters
from evolution.config.evotorch_parameters import Parameter
from evolution.config.schema import Configuration
from evolution.config.sections import Section

HEAD = """\
# Configuration

<!-- Made from the schema by `python -m evolution.config > docs/configuration.md`. Edit the schema, not this page. -->

An experiment is a YAML file. [`examples/`](../examples) has one for every search and every fitness; the shortest is \
empty, since every key has a default, and the defaults are the listening demo. \
`python manage.py evolve --config FILE` runs one, the staff panel takes them by name or pasted, and people who listen \
are served by `LISTENING_CONFIGURATION` in `evomusic_site/settings.py`. The environment's variables (ports, database, \
folders) are in [`.env.example`](../.env.example).

**Faults.** An unknown key, a wrong type or a contradiction is an error that names the line, the key's full path, the \
value, what was expected and the nearest known key; all of them are told at once. A key given twice is an error too. \
Reading a configuration opens no other file, calls no network and loads no model; the files it points to are looked at \
when the experiment starts, before anything is generated.

**Files written for the prototype** are read as they are. `fitness` and `search` may stand at the top level instead of \
under `evolution`, and so may `tournament_size`, `full_LLM_prompt`, `LLM_genetic_operators`, `evotorch` and \
`GA_operators`, which its README prints apart. Names of modes are read in any case, and its other spellings are read \
too. Two of its habits deserve a second look. It learns a taste with `lr: 0.001` for `epochs: 5`: an AdamW step moves \
a number by about `lr`, so five of them move it by 0.005, while the reference listeners of the shipped aligner spread \
by 0.22 around their mean[^spread]. Such a taste hardly leaves where it starts; the defaults here are 0.05 and 50. And \
`stdev: 20` for GaussianMutation is in the units of the genome: the embedded generator's token embeddings have \
length 1, and such a step leaves nothing of a parent.

[^spread]: `python -c "from models_store.aligner import shipped; \
print(shipped.load_for('spectral').user_table.std(dim=0).mean())"`

**Secrets.** `LLM.api_key` and `logger.wandb_token` are written as `${NAME}`, the name of an environment variable in \
capitals. A file may hold one literally, as the prototype's do: it then stays in the memory of the process that read \
it, and everything that is stored, logged, shown or exported has a reference instead. A text from the panel may not, \
and may refer only to variables that are named as a key for a service: ending in `_API_KEY`, `_TOKEN` or `_KEY`, \
without `SECRET`.

**Paths.** A relative path is relative to the folder of the file that names it, then to the working directory.
"""


def markdown() -> str:
    """The page: the head, then a table for each section, and evotorch's parameters."""
    parts = [HEAD]
    for path, section in _sections(Configuration, ""):
        title = f"`{path}`" if path else "Top level"
        parts.append(f"## {title}\n\n{_summary(section)}\n\n{_table(section)}\n")
    parts.append(_evotorch())
    return "\n".join(parts)


def _sections(section: type[Section], path: str) -> Iterator[tuple[str, type[Section]]]:
    """Every section below, itself first, in the order of the schema; one that comes twice, where it comes first."""
    yield path, section
    for name, described in section.model_fields.items():
        inner, listed = _section_of(described.annotation)
        if inner is not None and name != "riffusion_pipeline":
            yield from _sections(inner, f"{path}.{name}".removeprefix(".") + ("[]" if listed else ""))


def _section_of(annotation: Any) -> tuple[type[Section] | None, bool]:
    """The section that a field holds, and whether it holds a list of them; None for a plain value."""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(inner for inner in get_args(annotation) if inner is not type(None))
    if get_origin(annotation) is tuple:
        return _section_of(get_args(annotation)[0])[0], True
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation, False
    return None, False


def _summary(section: type[Section]) -> str:
    if section is Configuration:
        return "An experiment."
    return " ".join((section.__doc__ or "").split())


def _table(section: type[Section]) -> str:
    rows = ["| key | value | default | |", "|---|---|---|---|"]
    for name, described in section.model_fields.items():
        inner, listed = _section_of(described.annotation)
        if inner is not None and not listed:
            told = described.description or _summary(inner)
            rows.append(f"| `{name}` | section | {'absent' if described.default is None else ''} | {_cell(told)} |")
        else:
            cells = (f"`{name}`", _allowed(described), _default(described), _cell(described.description or ""))
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _allowed(described: FieldInfo) -> str:
    """What may stand there: type or choices, unit, limits."""
    kind, limits, unit = _taken_apart(described.annotation, list(described.metadata))
    extra = described.json_schema_extra
    if isinstance(extra, Mapping):
        unit = str(extra.get("unit", unit))
    words = _kind(kind)
    if unit in ("path", "secret"):
        words = {"path": "path of a file", "secret": "`${NAME}`"}[unit]
    elif kind is str and unit:
        words = unit
    elif unit:
        words = f"{words} ({unit})"
    return ", ".join([words, *limits])


def _taken_apart(annotation: Any, metadata: list[Any]) -> tuple[Any, list[str], str]:
    """The bare type, its limits in words, and its unit."""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(inner for inner in get_args(annotation) if inner is not type(None))
    if hasattr(annotation, "__metadata__"):
        metadata = [*metadata, *annotation.__metadata__]
        annotation = get_args(annotation)[0]
        return _taken_apart(annotation, metadata)
    limits, unit = [], ""
    for each in metadata:
        if isinstance(each, FieldInfo):
            _, inner_limits, inner_unit = _taken_apart(annotation, list(each.metadata))
            extra = each.json_schema_extra
            limits += inner_limits
            unit = str(extra.get("unit", "")) if isinstance(extra, Mapping) else inner_unit or unit
        for name, words in _LIMITS.items():
            value = getattr(each, name, None)
            if value is not None and not isinstance(each, FieldInfo):
                limits.append(f"{words} {value:,.12g}")
    return annotation, limits, unit


_LIMITS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def _kind(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if get_origin(kind) is tuple:
        return "list, below"
    if get_origin(kind) is dict:
        return "keys and values"
    return {int: "whole number", float: "number", bool: "`true`, `false`", str: "text"}[kind]


def _default(described: FieldInfo) -> str:
    if described.is_required():
        return "required"
    value = described.default
    if value is None:
        return "absent"
    if isinstance(value, tuple):
        value = [each.model_dump(mode="json") for each in value]
    flow = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000).strip()
    return f"`{_cell(flow.removesuffix('...').strip())}`" if value not in ([], {}) else "none"


def _evotorch() -> str:
    algorithms = "\n".join(_row(name, known) for name, known in evotorch_parameters.ALGORITHMS.items())
    operators = "\n".join(_row(name, known) for name, known in evotorch_parameters.OPERATORS.items())
    return (
        "## evotorch's parameters\n\n"
        "What each is, evotorch's documentation says. The widths (`stdev_init`, `radius_init`) and learning rates may "
        "be left out: the search then takes them from the initial prompts. What is not listed, the search decides. "
        "PGPE without elites has an even population unless `symmetric` is false; CEM's parents are at least two; XNES "
        "takes no `optimizer`.\n\n"
        f"| `search.mode` | keys of `search.evotorch` |\n|---|---|\n{algorithms}\n\n"
        "`elitist: false` keeps no elites, whatever `elites` says.\n\n"
        "An operator that chooses among scored candidates stands first: the crossovers, and `CosynePermutation` "
        "unless it permutes all.\n\n"
        f"| operator | `parameters` |\n|---|---|\n{operators}\n"
    )


def _row(name: str, known: Mapping[str, Parameter]) -> str:
    return f"| `{name}` | {'<br>'.join(f'`{each}`: {_cell(known[each].told())}' for each in sorted(known))} |"
