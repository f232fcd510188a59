"""Two instruments beside each other: their mids over the same time, and by how much they differ."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.clickhouse import Store
from monitoring.asked import question
from monitoring.desk import Answer, Desk
from monitoring.ranges import SECONDS
from monitoring.views import instrument_sql as sql

LATELY_EVERY_S = 3.0
TWINS_EVERY_S = 60.0
DOLLARS = ("USDT", "USDC", "USD")
MOST_TWINS = 6
Rows = list[dict[str, Any]]
Named = tuple[str, str]

# The same coin at other venues: the symbol's letters alone, whichever dollar it is told in.
TWINS = question("""
SELECT DISTINCT venue, symbol FROM bars_1m_state
WHERE open_time >= now() - INTERVAL 1 HOUR AND NOT ($this)
  AND replaceRegexpAll(upper(symbol), '[^A-Z0-9]', '') IN {letters:Array(String)}
ORDER BY venue, symbol LIMIT 20 $bounded
""")


@dataclass(frozen=True)
class Compared:
    """What was found of the instrument beside; `complaint` says what is wrong with how it was named."""

    named: Named
    rows: Answer[Rows] | None
    twins: tuple[Named, ...]
    complaint: str


@dataclass(frozen=True)
class Beside:
    """
    The other instrument: `lines` are (time, mid here, mid there, difference in bps of the mid there).

    Both are means of the same steps; None where one has no book then. `latest_bps` is the newest difference.
    """

    venue: str
    symbol: str
    lines: tuple[tuple[float | None, ...], ...]
    latest_bps: float | None
    mean_bps: float | None
    why: str


async def compare(desk: Desk, here: Named, beside: str, span: str) -> Compared:
    """Return what is known of the instrument that an address names as venue/symbol, and others worth naming."""
    where = {"venue": here[0], "symbol": here[1], "letters": letters_of(here[1])}
    twins = await desk.of_store(("twins", here), TWINS_EVERY_S, lambda store: _twins(store, where))
    named, complaint = named_by(beside)
    rows = None
    if named != ("", ""):
        there = {"venue": named[0], "symbol": named[1]}
        key = ("lately", named, span)
        rows = await desk.of_store(key, LATELY_EVERY_S, lambda store: lately(store, there, span))
    return Compared(named, rows, (twins.value or ())[:MOST_TWINS], complaint)


async def lately(store: Store, where: Mapping[str, str], span: str) -> Rows:
    """Return spread, imbalance and mid over a span, as means of even steps."""
    asked = {**where, "step_s": sql.STEPS_S[span], "seconds": SECONDS[span]}
    return (await store.query(sql.LATELY, asked)).to_dicts()


async def _twins(store: Store, where: Mapping[str, Any]) -> tuple[Named, ...]:
    return tuple((row["venue"], row["symbol"]) for row in (await store.query(TWINS, where)).to_dicts())


def named_by(text: str) -> tuple[Named, str]:
    """Return venue and symbol of `okx/BTC-USDT`, and what is wrong with it."""
    venue, _, symbol = text.strip().partition("/")
    if not text.strip():
        return ("", ""), ""
    if not venue.strip() or not symbol.strip():
        return ("", ""), "expected venue/symbol, such as okx/BTC-USDT"
    return (venue.strip(), symbol.strip()), ""


def letters_of(symbol: str) -> list[str]:
    """Return how a symbol is spelled elsewhere, without its signs: `BTC-USDT` is BTCUSDT, BTCUSDC or BTCUSD."""
    bare = re.sub("[^A-Z0-9]", "", symbol.upper())
    coin = next((bare.removesuffix(dollar) for dollar in DOLLARS if bare.endswith(dollar)), "")
    return [coin + dollar for dollar in DOLLARS] if coin else [bare]


def beside_of(found: Compared, here: Sequence[Mapping[str, Any]]) -> Beside | None:
    """Return the comparison, None where none was asked for."""
    if found.rows is None:
        return None
    there = {row["time"]: row["mid"] for row in found.rows.value or []}
    mids = {row["time"]: row["mid"] for row in here}
    lines = tuple(
        (time, mids.get(time), there.get(time), _apart_bps(mids.get(time), there.get(time)))
        for time in sorted(mids.keys() | there.keys())
    )
    apart = [line[3] for line in lines if line[3] is not None]
    return Beside(
        venue=found.named[0],
        symbol=found.named[1],
        lines=lines,
        latest_bps=apart[-1] if apart else None,
        mean_bps=sum(apart) / len(apart) if apart else None,
        why=_why(found.rows, there, mids),
    )


def _apart_bps(here: float | None, there: float | None) -> float | None:
    return None if here is None or not there else (here - there) / there * 1e4


def _why(rows: Answer[Rows], there: Mapping[Any, Any], mids: Mapping[Any, Any]) -> str:
    if rows.value is None:
        return f"ClickHouse does not answer: {rows.problem}"
    if not there:
        return "no book statistics of it over this time"
    return "" if mids else "no book statistics of this instrument over this time"
