"""Dead letters put back into their stream, as they were or mended by hand, or dropped; each once."""

import base64
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from common.codec import decode_lines
from common.errors import UnreadableRecord
from common.records import DeadLetter
from common.redis_streams import Redis, all_shards
from common.settling import Outcome, bytes_of, drop, redrive
from monitoring.doing.deeds import Deed, NotDone
from monitoring.prompts import fleet

Settle = Callable[[Redis, DeadLetter], Awaitable[Outcome]]
SETTLE: dict[str, Settle] = {"redrive": redrive, "drop": drop}
WORDS = {
    "redrive": "Each is appended to its stream once more, for the program that set it aside, under a new running"
    " number; what was redriven or dropped before stays as it is. There is no way back.",
    "drop": "Each is marked as of no more interest; its row stays in the table. There is no way back.",
}
AT_ONCE = 5_000  # letters that one deed touches
LONGEST = 128 * 1024  # bytes of a payload that is mended by hand


@dataclass(frozen=True)
class Which:
    """Which letters are meant: one by its id, those of a kind of reason or with words in it, or all."""

    id: str = ""
    kind: str = ""
    reason: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """Return it as the command line takes it."""
        if self.id:
            return (self.id,)
        if self.reason:
            return ("--reason", self.reason)
        return ("--kind", self.kind) if self.kind else ("--all",)


def settling(
    redis: Redis,
    how: Literal["redrive", "drop"],
    which: Which,
    letters: Sequence[DeadLetter],
    *,
    has_more: bool = False,
) -> Deed:
    """Return the deed that puts letters back, or drops them; `has_more` says that these are not all that are meant."""
    more = (("and more", "afterwards: do it again"),) if has_more else ()
    where = Counter(letter.stream or "not from a stream" for letter in letters)

    async def run() -> str:
        outcomes = Counter([await SETTLE[how](redis, letter) for letter in letters])
        return ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.items())

    return Deed(
        action=how,
        subject=which.id or which.kind or which.reason or "all dead letters",
        command=fleet("dlq", how, *which.words),
        run=run,
        touches=(("letters", f"{len(letters):,}"), *((stream, f"{count:,}") for stream, count in where.items()), *more),
        words=WORDS[how],
        before=f"{len(letters):,} letters",
        typed="all" if which == Which() else "",
        refusal="" if letters else "nobody has left any of them to deal with",
    )


async def mending(redis: Redis, letter: DeadLetter, text: str) -> Deed:
    """Return the deed that puts a letter back with other bytes."""
    data = text.replace("\r\n", "\n").strip("\n").encode()
    fault = "expected 128 KiB at most" if len(data) > LONGEST else await fault_of(redis, letter.stream, data)
    mended = msgspec.structs.replace(letter, payload=base64.b64encode(data).decode(), encoding="base64")

    async def run() -> str:
        if await redrive(redis, mended) != "redriven":
            raise NotDone("somebody has dealt with it meanwhile")
        return data.decode(errors="replace")

    return Deed(
        action="mend",
        subject=letter.id,
        command=fleet("dlq", "mend", letter.id, "--payload", "FILE", "--yes"),
        run=run,
        touches=((letter.stream, f"{data.count(bytes([10])) + 1:,} records for {letter.program}"),),
        words="These bytes are appended to its stream in place of those that were set aside, which stay in the table."
        " There is no way back.",
        before=bytes_of(letter).decode(errors="backslashreplace"),
        refusal=fault,
        carries=(("payload", data.decode(errors="replace")),),
    )


async def fault_of(redis: Redis, stream: str, data: bytes) -> str:
    """Return why bytes are not records of a stream, empty if they are."""
    shard = next((shard for shard in await all_shards(redis) if shard.key == stream), None)
    if shard is None:
        return "it did not come from a stream: there is nowhere to put it back"
    try:
        decode_lines(data, shard.stream.record)
    except UnreadableRecord as error:
        return f"this could not be read either: {error.reason}"
    return ""
