"""Questions to a venue over HTTP: within its budget, repeated until it answers, never mistaken for an empty answer."""

import asyncio
from collections.abc import Coroutine
from urllib.parse import urlsplit

import requests
from urllib3 import Retry
from urllib3.exceptions import InvalidHeader, MaxRetryError

from common.backoff import delays_s
from common.clock import now_ns
from common.errors import FeedRefused
from common.heartbeat import Figures
from common.log import logger
from common.redis_facts import remove_words, words_of
from common.redis_streams import Redis, RedisError
from ingesters.allowance import Allowance
from ingesters.feed import Fetch, Forget, Frame, Recall, Wake
from ingesters.mailbox import Mailbox
from ingesters.web import Web

log = logger("questions")

OURS = "ours"  # the wire of answers from our own Redis and clock: no sign of the venue
OK = 200
LATER = (408, 425)  # the venue itself asks for a repeat
SERVER_ERROR = 500
SAID_BYTES = 200


class Questions:
    """The questions of one connection; answers come into the mailbox as frames."""

    def __init__(self, web: Web, allowance: Allowance, redis: Redis, mailbox: Mailbox, figures: Figures) -> None:
        self.asked: dict[str, Fetch] = {}
        self._web = web
        self._allowance = allowance
        self._redis = redis
        self._mailbox = mailbox
        self._figures = figures
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    def ask(self, fetch: Fetch, *, pause_s: float = 0.0) -> None:
        """Put a question, after its own delay or a longer pause."""
        self.asked[fetch.key] = fetch
        self._go(self._answer(fetch._replace(after_s=max(fetch.after_s, pause_s))))

    def put(self, step: Fetch | Wake | Recall | Forget) -> None:
        """Have a step carried out, as soon as it may be; what it asks for comes as a frame."""
        match step:
            case Fetch():
                self.ask(step)
            case Wake():
                self._go(self._wake(step))
            case Recall():
                self._go(self._remember(step))
            case Forget():
                self._go(self._forget(step))

    def check(self) -> None:
        """Raise FeedRefused if the venue has refused a question for good, or what broke in asking it."""
        if self._failure is not None:
            raise self._failure

    async def close(self) -> None:
        """Drop every question."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for key in self.asked:
            self._figures.works(key)
        self._web.close()

    def _go(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._failure = self._failure or error
            self._mailbox.arrived.set()

    async def _wake(self, step: Wake) -> None:
        await asyncio.sleep(step.after_s)
        self._mailbox.put(Frame(now_ns(), b"", OURS, reply_to=step.key))

    async def _forget(self, step: Forget) -> None:
        for pause_s in delays_s():
            try:
                await remove_words(self._redis, step.key, step.words)
            except RedisError as error:
                self._figures.failed(error)
                await asyncio.sleep(pause_s)
            else:
                return

    async def _remember(self, step: Recall) -> None:
        await asyncio.sleep(step.after_s)
        for pause_s in delays_s():
            try:
                words = await words_of(self._redis, step.key)
            except RedisError as error:
                self._figures.failed(error)
                await asyncio.sleep(pause_s)
            else:
                self._mailbox.put(Frame(now_ns(), "\n".join(words).encode(), OURS, reply_to=step.key))
                return

    async def _answer(self, fetch: Fetch) -> None:
        await asyncio.sleep(fetch.after_s)
        for pause_s in delays_s():
            await self._allowance.spend(fetch.weight)
            try:
                response = await self._web.ask(fetch)
            except (requests.RequestException, TimeoutError) as error:
                self._failed(fetch, f"{type(error).__name__}: {_without_place(error, fetch.url)}", pause_s)
                await asyncio.sleep(pause_s)
                continue
            status = response.status_code
            await self._allowance.heed(status, response.headers)
            if status == OK or status in fetch.accept:
                self._figures.works(fetch.key)
                self._mailbox.put(Frame(now_ns(), response.content, reply_to=fetch.key, status=status))
                return
            await self._wait_or_give_up(fetch, response, pause_s)

    async def _wait_or_give_up(self, fetch: Fetch, response: requests.Response, pause_s: float) -> None:
        """Return when the question may be repeated; raise FeedRefused if that cannot change the answer."""
        status = response.status_code
        said = f"HTTP {status}: {response.content[:SAID_BYTES].decode(errors='replace')}"
        least_s = self._allowance.least_wait_s(status)
        if status < SERVER_ERROR and status not in LATER and least_s is None:
            raise FeedRefused(self._figures.venue, reason=f"{fetch.url.partition('?')[0]} answered {said}")
        wait_s = max(pause_s, _retry_after_s(response), least_s or 0.0)
        self._failed(fetch, said, wait_s)
        if least_s is not None:  # going on after a 429 turns it into a ban of the whole address
            await self._allowance.hold_off(wait_s)
        await asyncio.sleep(wait_s)

    def _failed(self, fetch: Fetch, reason: str, pause_s: float) -> None:
        self._figures.waits(fetch.key, f"{fetch.key}: {reason}")
        self._figures.counters["questions_failed_total"] += 1
        log.warning(
            "question.waiting", venue=self._figures.venue, key=fetch.key, pause_s=round(pause_s, 2), reason=reason
        )


def _without_place(error: Exception, url: str) -> str:
    """Return an error's words without path and query of an address: some venues want a key there."""
    wrapped = error.args[0] if error.args else None
    inner = wrapped.reason if isinstance(wrapped, MaxRetryError) else None
    said = str(inner).rpartition("): ")[2] if inner else str(error)  # without the name of a class and of a pool
    parts = urlsplit(url)
    place = url.removeprefix(f"{parts.scheme}://{parts.netloc}")
    return said.replace(place, "/...") if len(place) > 1 else said


def _retry_after_s(response: requests.Response) -> float:
    value = response.headers.get("Retry-After")
    try:
        return float(Retry().parse_retry_after(value)) if value else 0.0
    except InvalidHeader:
        return 0.0
