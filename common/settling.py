"""Dead letters that somebody has dealt with: put back into their stream, or dropped; each once, whoever asks again."""

import base64
from typing import Literal, NamedTuple

from common.records import DeadLetter
from common.redis_streams import Redis, all_shards, run_settled

SETTLED = "dead_letters:settled"
Outcome = Literal["redriven", "dropped", "settled before", "not from a stream"]


class Readdressed(NamedTuple):
    """Running numbers of a shard that hold records for one group alone: the others pass them by."""

    key: str
    start: int
    stop: int
    group: str


def bytes_of(letter: DeadLetter) -> bytes:
    """Return what was set aside."""
    return base64.b64decode(letter.payload) if letter.encoding == "base64" else letter.payload.encode()


async def settled(redis: Redis) -> dict[str, str]:
    """Return what became of each letter that was dealt with, by its id: `dropped`, or `redriven` and where to."""
    return {name.decode(): words.decode() for name, words in (await redis.hgetall(SETTLED)).items()}


def readdressed(words: str) -> Readdressed | None:
    """Return where a letter went, None when it was dropped."""
    parts = words.split(" ")
    return Readdressed(parts[1], int(parts[2]), int(parts[3]), parts[4]) if parts[0] == "redriven" else None


async def redrive(redis: Redis, letter: DeadLetter) -> Outcome:
    """
    Put a letter back into its stream, for the group that set it aside; its record gets a new running number.

    It is appended and marked in one transaction: killed, repeated or run by two people at once, it goes back once.

    Raises:
        ResponseError: the server is full; nothing was done.
    """
    shard = next((shard for shard in await all_shards(redis) if shard.key == letter.stream), None)
    if shard is None:
        return "not from a stream"
    data = bytes_of(letter)
    keys = [SETTLED, shard.key, shard.facts]
    lines = data.count(b"\n") + 1
    word, _ = await run_settled(redis, "redrive", keys, [letter.id, letter.program, lines, data])
    return "redriven" if word == b"OK" else "settled before"


async def drop(redis: Redis, letter: DeadLetter) -> Outcome:
    """Mark a letter as of no more interest; its row stays in the table."""
    return "dropped" if await redis.hsetnx(SETTLED, letter.id, "dropped") else "settled before"
