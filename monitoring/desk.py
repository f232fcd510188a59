"""What a page asks beside the snapshot: each question once for all who look, in bounded time, its last answer kept."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Generic, TypeVar

from common.clickhouse import Store, connect
from common.clock import NS_PER_S, monotonic_s, now_ns
from common.errors import StoreRefused, Unreachable
from common.redis_streams import Redis, RedisError
from common.settings import Settings
from monitoring.past import Past
from monitoring.store_readings import plain

ANSWER_S = 5.0
GRACE_S = 5.0  # an answer so much too old is shown, with its age, while it is asked for again
AT_ONCE = 2  # questions to ClickHouse side by side: what writes there comes first
MOST_KEPT = 200
CROWDED = 16  # questions that wait for an answer; more would only wait longer

T = TypeVar("T")


@dataclass(frozen=True)
class AsOf:
    """How old an answer of a server is, and why there is no newer one; no age when there never was an answer."""

    server: str
    age_s: float | None
    problem: str


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a server said last; `value` is None while it has not, `problem` says why it did not answer just now."""

    server: str
    value: T | None
    asked_ns: int
    problem: str = ""

    def as_of(self, now_ns: int) -> AsOf:
        """Return its age."""
        age_s = None if self.value is None else max(0.0, (now_ns - self.asked_ns) / NS_PER_S)
        return AsOf(self.server, age_s, self.problem)


def of_now(answer: Answer[T]) -> T:
    """Return what a server has said just now; raise Unreachable where it has not: an older answer will not do."""
    if answer.problem or answer.value is None:
        raise Unreachable(answer.server, reason=answer.problem or "it has not answered yet")
    return answer.value


@dataclass
class _Held:
    answer: Answer[Any]
    at_s: float


@dataclass(frozen=True)
class Around:
    """What a dashboard was started in: its environment, its `.env`, and where its Supervisor listens, if it has one."""

    environ: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    env_file: Mapping[str, str | None] = field(default_factory=dict, repr=False)

    @property
    def supervisor(self) -> str:
        """Return the address that Supervisor gives its children."""
        return self.environ.get("SUPERVISOR_SERVER_URL") or ""


class Desk:
    """Where pages ask Redis and ClickHouse; the connections are made at the first question."""

    def __init__(self, settings: Settings, redis: Redis, around: Around) -> None:
        self.settings = settings
        self.around = around
        self.redis = redis
        self.past = Past()
        self._store: Store | None = None
        self._connecting = asyncio.Lock()
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._held: OrderedDict[Hashable, _Held] = OrderedDict()
        self._open: dict[Hashable, asyncio.Task[Any]] = {}
        self._renewing: dict[Hashable, asyncio.Task[Any]] = {}

    async def of_redis(self, key: Hashable, every_s: float, question: Callable[[Redis], Awaitable[T]]) -> Answer[T]:
        """Return the answer of Redis to a question, at most `every_s` old where it answers."""

        async def ask() -> T:
            return await question(self.redis)

        return await self._ask("redis", key, every_s, ask)

    async def of_store(
        self, key: Hashable, every_s: float, question: Callable[[Store], Awaitable[T]], *, at_once: bool = False
    ) -> Answer[T]:
        """
        Return the answer of ClickHouse to a question, at most `every_s` old where it answers.

        With `at_once` the last answer is given while it is asked again, if that is not much older.
        """

        async def ask() -> T:
            async with self._gate:
                return await question(await self._connected())

        held = self._held.get(key)
        if at_once and held and not held.answer.problem and every_s <= monotonic_s() - held.at_s < every_s + GRACE_S:
            self._renew("clickhouse", key, ask)
            return held.answer
        return await self._ask("clickhouse", key, every_s, ask)

    async def of_machine(self, key: Hashable, every_s: float, question: Callable[[], T]) -> Answer[T]:
        """Return what this machine says, asked in a thread; what it cannot say it raises as an OSError."""

        async def ask() -> T:
            return await asyncio.to_thread(question)

        return await self._ask("machine", key, every_s, ask)

    async def close(self) -> None:
        """Forget the questions that are still open."""
        asked = [*self._renewing.values(), *self._open.values()]
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

    async def _connected(self) -> Store:
        async with self._connecting:
            if self._store is None:
                self._store = Store(await asyncio.to_thread(connect, self.settings), partial(connect, self.settings))
            return self._store

    async def _ask(self, server: str, key: Hashable, every_s: float, ask: Callable[[], Awaitable[T]]) -> Answer[T]:
        held = self._held.get(key)
        if held is not None and monotonic_s() - held.at_s < every_s:
            return held.answer
        return await self._fresh(server, key, ask)

    def _renew(self, server: str, key: Hashable, ask: Callable[[], Awaitable[Any]]) -> None:
        """Ask again while whoever looks now sees the last answer, with its age."""
        if key not in self._renewing:
            task = self._renewing[key] = asyncio.ensure_future(self._fresh(server, key, ask))
            task.add_done_callback(lambda _: self._renewing.pop(key, None))

    async def _fresh(self, server: str, key: Hashable, ask: Callable[[], Awaitable[T]]) -> Answer[T]:
        held = self._held.get(key)
        try:
            value = await self._shared(server, key, ask)
        except Unreachable as error:
            before = held.answer if held else Answer(server, None, now_ns())
            answer: Answer[T] = replace(before, server=error.server, problem=error.reason)
        else:
            answer = Answer(server, value, now_ns())
        self._held[key] = _Held(answer, monotonic_s())
        self._held.move_to_end(key)
        while len(self._held) > MOST_KEPT:
            self._held.popitem(last=False)
        return answer

    async def _shared(self, server: str, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to a question that may have been asked already; it goes on when this wait ends."""
        task = self._open.get(key)
        if task is None:
            if len(self._open) >= CROWDED:
                raise Unreachable(server, reason=f"{len(self._open)} questions wait for an answer")
            task = self._open[key] = asyncio.ensure_future(ask())
            task.add_done_callback(lambda done: self._forget(key, done))
        try:
            async with asyncio.timeout(ANSWER_S):
                found: T = await asyncio.shield(task)
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            late = f"no answer within {ANSWER_S:.0f} s"
            raise Unreachable(server, reason=late if isinstance(error, TimeoutError) else str(error)) from error
        except StoreRefused as error:
            raise Unreachable(server, reason=plain(error.reason)) from error
        return found

    def _forget(self, key: Hashable, done: asyncio.Task[Any]) -> None:
        self._open.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever still waits for it is told; nobody else is to be
