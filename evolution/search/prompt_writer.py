"""A language model behind an OpenAI-compatible endpoint, writing prompts. The only module that knows openai."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import ssl
from collections.abc import Collection, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any, TypeVar

import httpx2
import openai

from evolution.search import answers, endpoint, reach, templates
from evolution.search.answers import MalformedAnswerError, folded
from evolution.search.asking import LLMError, Question, Request, Sheet, varied

__all__ = ["LLMError", "PromptWriter", "Request", "Usage"]

T = TypeVar("T")

LONGEST_WAIT = 60.0
"""Seconds before a retry at most, whatever the endpoint asks for: who has to wait longer resumes later."""

_LONGEST_BACKOFF = 20.0
_PASSING = frozenset({408, 409, 425, 429})
_OPTIONAL = ("seed", "temperature")

# What these log of requests and answers at DEBUG is not ours to vouch for.
for _name in ("openai", "httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.WARNING)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Usage:
    """What was asked so far. Tokens as the endpoint counted them; retries: requests that had to be sent again."""

    requests: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True)
class _Failure:
    """Why an answer is none. passing: whether another try may help. wait: seconds that the endpoint asked for."""

    what: str
    passing: bool
    wait: float = 0.0
    malformed: bool = False


class PromptWriter:
    """Asks a language model for prompts, many requests at a time.

    api_key: sent to the endpoint and shown nowhere; "" for an endpoint that needs none.
    api_uri: the endpoint's base URL, or its full address that ends in /chat/completions.
    temperature: of the model, >= 0.
    concurrency: how many requests are under way at once, at most.
    timeout: seconds that an answer may take as a whole.
    retries: how often a request is sent again after a failed or malformed answer.
    asks_again: how often in a row a request is asked again for missing prompts without getting a new one.
    backoff: seconds before the first retry; doubled for each further one.
    Usable from many threads at once. Raises ValueError for values out of range, without showing the key.
    """

    def __init__(
        self,
        *,
        api_key: str,
        model: str,
        api_uri: str,
        temperature: float = 0.7,
        concurrency: int = 48,
        timeout: float = 120.0,
        retries: int = 4,
        asks_again: int = 3,
        backoff: float = 0.5,
    ) -> None:
        _check_ranges(temperature, timeout, backoff, concurrency=concurrency, retries=retries, asks_again=asks_again)
        if not model.strip():
            raise ValueError("LLM.model: expected the name of a model, got none")
        self._key = endpoint.sendable(api_key.strip())
        self._address = endpoint.address(api_uri)
        self.model = model
        self._temperature = temperature
        self._concurrency = concurrency
        self._timeout = timeout
        self._retries = retries
        self._asks_again = asks_again
        self._backoff = backoff
        self._refused: frozenset[str] = frozenset()
        self._usage = Usage()
        self._counting = Lock()

    def __repr__(self) -> str:
        return f"PromptWriter({self.model!r} at {self._address.host})"

    @property
    def usage(self) -> Usage:
        return self._usage

    def write(
        self, requests: Sequence[Request], *, taken: Collection[str] = (), repeats: bool = True
    ) -> list[tuple[str, ...]]:
        """As `asking.Writer.write`. All requests run at once, as far as `concurrency` allows.

        With an endpoint that answers equal questions with equal answers the result is the same every time.
        """
        if not requests:
            return []
        sheets = [Sheet(request, asks_in_vain=self._asks_again) for request in requests]
        _run(self._fill(sheets, {folded(prompt) for prompt in taken}))
        return [sheet.filled(repeats=repeats) for sheet in sheets]

    def check(self) -> None:
        """One tiny request, to see that the endpoint answers, knows key and model, and writes prompts.

        Raises LLMError that says what was asked of whom and what came.
        """
        text = templates.asking("Describe calm piano music.", count=1)
        _run(self._ask_all([Question(text, 1, seed=0)], retries=min(1, self._retries)))

    async def _fill(self, sheets: Sequence[Sheet], taken: set[str]) -> None:
        """Ask until every sheet is full or not worth asking again; answers count in the order of the sheets."""
        while unfinished := [sheet for sheet in sheets if sheet.open]:
            heard = await self._ask_all([sheet.question() for sheet in unfinished], retries=self._retries)
            for sheet, prompts in zip(unfinished, heard, strict=True):
                sheet.take(prompts, taken)

    async def _ask_all(self, questions: Sequence[Question], *, retries: int) -> list[tuple[str, ...]]:
        """The prompts of each answer, in the order of the questions. The first failure ends all."""
        gate = asyncio.Semaphore(self._concurrency)
        transport = openai.DefaultAsyncHttpxClient(
            verify=_certificates(), trust_env=not self._address.loopback, event_hooks={"request": [reach.permit]}
        )
        client = openai.AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self._address.base,
            default_query=dict(self._address.query),
            timeout=self._timeout,
            max_retries=0,  # ours know malformed answers too
            http_client=transport,
        )
        async with client:
            tasks = [asyncio.create_task(self._answered(client, gate, each, retries)) for each in questions]
            try:
                return await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _answered(
        self, client: openai.AsyncOpenAI, gate: asyncio.Semaphore, question: Question, retries: int
    ) -> tuple[str, ...]:
        """The prompts of the first usable answer. Raises LLMError after the last retry."""
        malformed = attempt = 0
        while True:
            # A malformed answer would come again with its seed; after an outage the same one is wanted.
            seed = varied(question.seed, 0, malformed) if malformed else question.seed
            async with gate:
                outcome = await self._sent(client, question, seed)
            if not isinstance(outcome, _Failure):
                return outcome
            if not outcome.passing or attempt == retries:
                raise LLMError(self._complaint(question, outcome, attempt + 1))
            wait = self._wait(outcome, question, attempt)
            _logger.info("%r: %s; again in %.1f s", self, outcome.what, wait)
            self._count(retries=1)
            malformed += outcome.malformed
            attempt += 1
            await asyncio.sleep(wait)

    def _complaint(self, question: Question, failure: _Failure, attempts: int) -> str:
        wanted = "1 prompt" if question.count == 1 else f"{question.count} prompts"
        times = f" in {attempts} attempts, at last" if attempts > 1 else ""
        return f"asked the language model {self.model!r} at {self._address.host} for {wanted}{times}: {failure.what}"

    def _wait(self, failure: _Failure, question: Question, attempt: int) -> float:
        """Seconds until the next attempt: exponential, spread so that many do not come back at once."""
        spread = random.Random(f"{question.seed} {attempt}").uniform(0.5, 1.0)
        backoff = min(self._backoff * 2.0**attempt, _LONGEST_BACKOFF) * spread
        return max(backoff, min(failure.wait, LONGEST_WAIT))

    async def _sent(self, client: openai.AsyncOpenAI, question: Question, seed: int) -> tuple[str, ...] | _Failure:
        """The prompts of one answer, or why there are none. What the endpoint refuses to be told is left out."""
        options: dict[str, Any] = {"seed": seed, "temperature": self._temperature}
        while True:
            sent = {name: value for name, value in options.items() if name not in self._refused}
            self._count(requests=1)
            outcome = await self._exchange(client, question, sent)
            if not isinstance(outcome, openai.BadRequestError | openai.UnprocessableEntityError):
                break
            refused = _named(outcome, sent)
            if not refused:
                break
            _logger.warning("%r does not take %s: going on without", self, " and ".join(sorted(refused)))
            self._refused |= refused
        if isinstance(outcome, openai.OpenAIError | TimeoutError):
            return self._failure(outcome)
        try:
            answer = answers.read(outcome)
            self._count(prompt_tokens=answer.prompt_tokens, completion_tokens=answer.completion_tokens)
            return answers.prompts(answer)
        except MalformedAnswerError as error:
            return _Failure(f"{error.kind}: {self._safe(error.text)!r}", passing=True, malformed=True)

    async def _exchange(
        self, client: openai.AsyncOpenAI, question: Question, options: dict[str, Any]
    ) -> str | openai.OpenAIError | TimeoutError:
        """The body of the answer. Errors are returned: raised ones would carry the request along, and the key in it."""
        text = question.text.encode("utf-8", "replace").decode()  # half a surrogate pair cannot be sent
        try:
            async with asyncio.timeout(self._timeout):
                raw = await client.chat.completions.with_raw_response.create(
                    model=self.model, messages=[{"role": "user", "content": text}], **options
                )
                return str(raw.text)
        except reach.OutOfReachError as error:
            raise LLMError(f"asked the language model {self.model!r} at {self._address.host}: {error}") from None
        except (openai.OpenAIError, TimeoutError) as error:
            return error

    def _failure(self, error: openai.OpenAIError | TimeoutError) -> _Failure:
        if isinstance(error, openai.APITimeoutError | TimeoutError):
            return _Failure(f"no answer within {self._timeout:g} s", passing=True)
        if not isinstance(error, openai.APIStatusError):
            reason = str(error.__cause__ or error) or type(error.__cause__ or error).__name__
            return _Failure(f"the connection failed ({self._safe(reason)})", passing=True)
        status, said = error.status_code, self._safe(endpoint.said(error.body))
        what = f"HTTP {status}" + (f", {said}" if said else "")
        if status in (401, 403):
            return _Failure(f"the API key was not accepted ({what})", passing=False)
        if status == 404:
            return _Failure(f"no such model or no such address ({what})", passing=False)
        # A quota that is used up is told as 429 too, and does not come back by waiting.
        passing = (status in _PASSING or status >= 500) and error.code != "insufficient_quota"
        return _Failure(what, passing, wait=endpoint.retry_after(error.response.headers))

    def _safe(self, text: str) -> str:
        """The text, short and without the key: endpoints quote it when they refuse it."""
        return answers.excerpt(text.replace(self._key, "***") if self._key else text)

    def _count(self, **more: int) -> None:
        with self._counting:
            self._usage = Usage(**{name: count + more.get(name, 0) for name, count in vars(self._usage).items()})


def _check_ranges(temperature: float, timeout: float, backoff: float, **counts: int) -> None:
    for name, count in counts.items():
        least = 1 if name == "concurrency" else 0
        if count < least:
            raise ValueError(f"LLM.{name}: expected at least {least}, got {count}")
    if not 0.0 <= temperature < math.inf:
        raise ValueError(f"LLM.temperature: expected a number >= 0, got {temperature}")
    if not 0.0 < timeout < math.inf:
        raise ValueError(f"LLM.timeout: expected seconds > 0, got {timeout}")
    if not 0.0 <= backoff < math.inf:
        raise ValueError(f"LLM.backoff: expected seconds >= 0, got {backoff}")


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    return httpx2.create_ssl_context()  # reading them takes longer than a local answer


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end in an event loop of its own, in a thread of its own where this one runs a loop already."""
    if not _loop_runs_here():
        return asyncio.run(work)
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()


def _loop_runs_here() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _named(error: openai.APIStatusError, sent: dict[str, Any]) -> frozenset[str]:
    """The optional parameters that were sent and that the refusal names."""
    said = f"{error.param or ''} {endpoint.said(error.body)}".lower()
    return frozenset(name for name in _OPTIONAL if name in sent and name in said)
