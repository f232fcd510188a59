"""What an ingester records, chosen while it runs: added to, taken from, replaced, and brought back to what it was."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from common.clock import NS_PER_S, now_ns
from common.redis_facts import MOST_WORDS, words_of
from common.redis_streams import Redis
from common.settings import Settings
from common.streams import symbols_key
from monitoring.doing.deeds import Deed, NotDone, Who
from monitoring.prompts import fleet

UNCHANGED = ("the settings count already", "nothing would change")
MOST_KEPT = 50  # choices of a program that can be brought back
LONGEST = 128  # characters of a symbol: a Polymarket token has 78
SYMBOL = re.compile(r"[^\x00-\x20\x7f,;\"'<>][^\x00-\x1f\x7f,;\"'<>]{0,127}")


class Choice(msgspec.Struct, frozen=True):
    """What was chosen, when and by whom; no symbols: those of the settings."""

    time_s: int
    who: str
    symbols: tuple[str, ...]


@dataclass(frozen=True)
class Chosen:
    """What a program records now; `is_chosen` says whether somebody has chosen it while it ran."""

    program: str
    symbols: tuple[str, ...]
    configured: tuple[str, ...]
    is_chosen: bool


def history_key(program: str) -> str:
    """Return the key of the list of earlier choices, the newest first."""
    return f"symbols:history:{program}"


async def chosen(redis: Redis, settings: Settings, program: str) -> Chosen:
    """
    Return what an ingester is to record.

    Raises:
        NotDone: it has no symbols of one's choice.
    """
    configured = settings.symbols_of(program) if program.endswith("_ingester") else None
    if configured is None:
        raise NotDone(f"{program or 'a program without a name'} records no symbols of one's choice")
    held = await words_of(redis, symbols_key(program))
    return Chosen(program, tuple(held or configured), configured, bool(held))


async def history(redis: Redis, program: str) -> list[Choice]:
    """Return what was chosen before, the newest first."""
    return [msgspec.json.decode(text, type=Choice) for text in await redis.lrange(history_key(program), 0, -1)]


def listed(text: str) -> list[str]:
    """
    Return the symbols of a pasted list or a CSV: one a line, or parted by commas; a column named symbol counts alone.

    Raises:
        NotDone: a word cannot be a symbol.
    """
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    if "symbol" in head:
        column = head.index("symbol")
        words = [row[column].strip() for row in rows[1:] if len(row) > column]
    else:
        words = [cell.strip() for row in rows for cell in row]
    found = list(dict.fromkeys(word for word in words if word))
    if wrong := [word for word in found if not SYMBOL.fullmatch(word)]:
        raise NotDone(f"no symbol can be spelt {wrong[0][:LONGEST]!r}")
    if len(found) > MOST_WORDS:
        raise NotDone(f"expected {MOST_WORDS:,} symbols at most, found {len(found):,}")
    return found


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a choice: these alone, these as well, not these, or those of the settings."""

    add: Sequence[str] = ()
    remove: Sequence[str] = ()
    only: Sequence[str] | None = None
    settings: bool = False


async def choosing(redis: Redis, settings: Settings, program: str, wanted: Wanted, who: Who) -> Deed:
    """Return the deed that changes what an ingester records."""
    now = await chosen(redis, settings, program)
    base = list(now.symbols) if wanted.only is None else list(wanted.only)
    gone = set(wanted.remove)
    after = [] if wanted.settings else [one for one in dict.fromkeys([*base, *wanted.add]) if one not in gone]
    then = tuple(after) or now.configured
    added = [one for one in then if one not in now.symbols]
    removed = [one for one in now.symbols if one not in then]

    async def run() -> str:
        await _replace(redis, program, after, Choice(now_ns() // NS_PER_S, who.name, tuple(after)))
        return ",".join(then)

    return Deed(
        action="symbols",
        subject=program,
        command=_command(program, wanted, after),
        run=run,
        touches=(
            ("starts to record", _few(added)),
            ("no longer records", _few(removed)),
            ("records then", f"{len(then):,} symbols"),
        ),
        words="It takes effect within five seconds, without a restart. What is stored stays."
        + (" From then on the settings count again." if wanted.settings else ""),
        before=",".join(now.symbols),
        refusal=_why_not(now, wanted, after),
    )


def _why_not(now: Chosen, wanted: Wanted, after: Sequence[str]) -> str:
    if wanted.settings:
        return "" if now.is_chosen else UNCHANGED[0]
    if not after:
        return "an ingester without symbols records nothing: stop it instead"
    return UNCHANGED[1] if set(after) == set(now.symbols) else ""


async def _replace(redis: Redis, program: str, symbols: Sequence[str], choice: Choice) -> None:
    """Have the set hold these, in one step: an ingester must never see half of a choice."""
    key = symbols_key(program)
    async with redis.pipeline(transaction=True) as pipe:
        pipe.delete(key)
        if symbols:
            pipe.sadd(key, *symbols)
        pipe.lpush(history_key(program), msgspec.json.encode(choice))
        pipe.ltrim(history_key(program), 0, MOST_KEPT - 1)
        await pipe.execute()


def _command(program: str, wanted: Wanted, after: Sequence[str]) -> str:
    name = program.removesuffix("_ingester")
    if wanted.settings:
        return fleet("symbols", name, "--set", "")
    if wanted.only is not None:
        return fleet("symbols", name, "--set", ",".join(after))
    changes = (("--add", wanted.add), ("--remove", wanted.remove))
    return fleet("symbols", name, *(part for how, words in changes if words for part in (how, ",".join(words))))


def _few(words: Sequence[str]) -> str:
    if not words:
        return "nothing"
    rest = len(words) - 8
    return ", ".join(words[:8]) + (f" and {rest:,} more" if rest > 0 else "")
