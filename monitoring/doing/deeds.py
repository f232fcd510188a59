"""What a deed is: what it would touch, what stands there, how it is done at a prompt, and the doing itself."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from common.clock import now_ns
from common.codec import encode
from common.errors import TickfleetError
from common.log import logger
from common.records import Action
from common.redis_streams import TOPICS, Redis, RedisError, Shard, run_script
from common.streams import ACTIONS

MOST_TEXT = 4_000  # characters that are written down of what stood there

log = logger("actions")


class NotDone(TickfleetError):
    """Something stands in the way of a deed; nothing was changed. What next: the words say it."""


@dataclass(frozen=True)
class Who:
    """Somebody who acts, and from where."""

    name: str
    way: str


@dataclass(frozen=True)
class Deed:
    """
    What would be done, as it was looked into; looking changes nothing.

    `touches` says what and how much, `words` what follows, `typed` what must be typed before it is done, `refusal` why
    it cannot be done now. `run` does it and returns what stands there since; it raises NotDone where something has
    come in between.
    """

    action: str
    subject: str
    command: str
    run: Callable[[], Awaitable[str]]
    touches: tuple[tuple[str, str], ...] = ()
    words: str = ""
    before: str = ""
    typed: str = ""
    refusal: str = ""
    also: tuple[str, ...] = ()  # other commands that do the same
    carries: tuple[tuple[str, str], ...] = ()  # what this look knows and the next one needs


async def do(redis: Redis, deed: Deed, who: Who) -> str:
    """
    Do it, and write down who did what and how it ended; return what stands there since.

    Raises:
        NotDone: something stands in the way.
        TickfleetError, RedisError, OSError: a server did not answer, or will not.
    """
    if deed.refusal:
        await write_down(redis, deed, who, after="", outcome=f"refused: {deed.refusal}")
        raise NotDone(deed.refusal)
    try:
        after = await deed.run()
    except (TickfleetError, RedisError, OSError) as error:
        await write_down(redis, deed, who, after="", outcome=f"failed: {error}")
        raise
    except asyncio.CancelledError:  # somebody who waited at a prompt has left
        await write_down(redis, deed, who, after="", outcome="interrupted: a part of it may be done")
        raise
    lost = await write_down(redis, deed, who, after=after, outcome="done")
    return f"{after}; not written down: {lost}" if lost else after


async def write_down(redis: Redis, deed: Deed, who: Who, *, after: str, outcome: str) -> str:
    """Append a deed to its stream; where Redis does not take it the log has it, and why it did not is returned."""
    record = Action(
        venue="",
        symbol="",
        received_ns=now_ns(),
        who=who.name,
        way=who.way,
        action=deed.action,
        subject=deed.subject,
        command=deed.command[:MOST_TEXT],
        before=deed.before[:MOST_TEXT],
        after=after[:MOST_TEXT],
        outcome=outcome,
    )
    log.info("actions.done", who=who.name, way=who.way, action=deed.action, subject=deed.subject, outcome=outcome)
    shard = Shard(ACTIONS, 0, 1)
    try:
        await redis.hsetnx(TOPICS, ACTIONS.topic, "1")
        await run_script(redis, "note", [shard.key, shard.facts], [encode(record)])
    except (RedisError, OSError) as error:
        log.warning("actions.not_written_down", action=deed.action, subject=deed.subject, reason=str(error))
        return str(error) or type(error).__name__
    return ""
