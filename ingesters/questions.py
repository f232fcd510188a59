"""Questions to a venue over HTTP: within its budget, repeated until it answers, never mistaken for an empty answer."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry
from urllib3.exceptions import InvalidHeader

from common.backoff import delays_s
from common.clock import monotonic_s, now_ns
from common.errors import FeedRefused
from common.heartbeat import Figures
from common.log import logger
from common.redis_facts import spend, words_of
from common.redis_streams import Redis, RedisError
from ingesters.feed import Fetch, Frame, Recall
from ingesters.venue import Budget
from ingesters.wires import Mailbox

log = logger("questions")

TIMEOUT_S = (5.0, 30.0)  # to connect, and between two bytes of the answer
OK = 200
SLOW_DOWN = (418, 429)
SERVER_ERROR = 500


@dataclass
class Questions:
    """The questions of one connection; answers come into the mailbox as frames."""

    venue: str
    budget: Budget
    redis: Redis
    mailbox: Mailbox
    figures: Figures
    asked: dict[str, Fetch] = field(default_factory=dict)
    not_before_s: float = 0.0  # the venue told us to wait; every question does

    def __post_init__(self) -> None:
        self._session = requests.Session()
        self._session.mount("http://", HTTPAdapter(pool_maxsize=4))
        self._session.mount("https://", HTTPAdapter(pool_maxsize=4))
        self._session.headers["User-Agent"] = "tickfleet"
        self._tasks: set[asyncio.Task[None]] = set()
        self._refusal: FeedRefused | None = None

    def ask(self, fetch: Fetch, *, pause_s: float = 0.0) -> None:
        """Put a question, after its own delay or a longer pause."""
        self.asked[fetch.key] = fetch
        self._go(self._answer(fetch._replace(after_s=max(fetch.after_s, pause_s))))

    def recall(self, step: Recall) -> None:
        """Read a set of words from Redis; they come as a frame."""
        self._go(self._remember(step))

    def check(self) -> None:
        """Raise FeedRefused if the venue has refused a question for good."""
        if self._refusal is not None:
            raise self._refusal

    async def close(self) -> None:
        """Drop every question."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._session.close()

    def _go(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _remember(self, step: Recall) -> None:
        await asyncio.sleep(step.after_s)
        for pause_s in delays_s():
            try:
                words = await words_of(self.redis, step.key)
            except RedisError as error:
                self.figures.failed(error)
                await asyncio.sleep(pause_s)
            else:
                self.mailbox.put(Frame(now_ns(), "\n".join(words).encode(), reply_to=step.key))
                return

    async def _answer(self, fetch: Fetch) -> None:
        await asyncio.sleep(fetch.after_s)
        for pause_s in delays_s():
            await self._within_budget(fetch.weight)
            try:
                response = await asyncio.to_thread(self._send, fetch)
            except requests.RequestException as error:
                self._failed(fetch, f"{type(error).__name__}: {error}", pause_s)
                await asyncio.sleep(pause_s)
                continue
            status = response.status_code
            if status == OK or status in fetch.accept:
                self.mailbox.put(Frame(now_ns(), response.content, reply_to=fetch.key, status=status))
                return
            said = f"HTTP {status}: {response.text[:200]}"
            if status not in SLOW_DOWN and status < SERVER_ERROR:
                self._refuse(fetch, said)
                return
            wait_s = max(pause_s, _retry_after_s(response))
            if status in SLOW_DOWN:  # going on after a 429 turns it into a ban of the whole address
                self.not_before_s = max(self.not_before_s, monotonic_s() + wait_s)
            self._failed(fetch, said, wait_s)
            await asyncio.sleep(wait_s)

    def _send(self, fetch: Fetch) -> requests.Response:
        if fetch.body is None:
            return self._session.get(fetch.url, timeout=TIMEOUT_S)
        return self._session.post(
            fetch.url, data=fetch.body, headers={"Content-Type": "application/json"}, timeout=TIMEOUT_S
        )

    def _refuse(self, fetch: Fetch, said: str) -> None:
        self._refusal = FeedRefused(self.venue, reason=f"{fetch.url.partition('?')[0]} answered {said}")
        self.mailbox.arrived.set()

    def _failed(self, fetch: Fetch, reason: str, pause_s: float) -> None:
        self.figures.failed(f"{fetch.key}: {reason}")
        self.figures.counters["questions_failed_total"] += 1
        log.warning("question.waiting", venue=self.venue, key=fetch.key, pause_s=round(pause_s, 2), reason=reason)

    async def _within_budget(self, weight: int) -> None:
        """Return when the venue may be asked: no ban is running, and the window has room."""
        for pause_s in delays_s(first_s=1.0, ceiling_s=self.budget.window_s / 2):
            await asyncio.sleep(max(0.0, self.not_before_s - monotonic_s()))
            try:
                spent = await spend(self.redis, self.venue, weight, self.budget.window_s)
            except RedisError as error:
                self.figures.failed(error)
            else:
                self.figures.gauges["budget_spent"] = spent
                if spent <= max(self.budget.weight, weight):
                    return
            await asyncio.sleep(pause_s)


def _retry_after_s(response: requests.Response) -> float:
    value = response.headers.get("Retry-After")
    try:
        return float(Retry().parse_retry_after(value)) if value else 0.0
    except InvalidHeader:
        return 0.0
