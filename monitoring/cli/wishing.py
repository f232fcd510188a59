"""How `fleet backfill` says what is wanted: a stretch of time, and what of it stands already."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from common.clock import NS_PER_S, now_ns
from common.redis_facts import add_words, words_of
from common.redis_streams import Redis
from common.settings import Settings
from common.streams import symbols_key
from common.wishes import Wish, backfill_key, wish_id, wish_of
from monitoring.cli.asking import ask_clickhouse, ask_redis
from monitoring.cli.times import Wrong, moment_ns
from monitoring.cli.wishing_names import NAMED, named_wish
from monitoring.doing.deeds import Deed
from monitoring.prompts import fleet

MOST_PARTS = 1000
MARGIN_NS = NS_PER_S
MINUTE_NS = 60 * NS_PER_S
WITHOUT_SYMBOLS = ("goldsky", "polygon")
CANDLES_ONLY = "upstox"  # of the past it gives candles, no trades
RUNS = """
SELECT min(id) AS first, max(id) + 1 AS stop FROM (
    SELECT id, id - toInt64(row_number() OVER (ORDER BY id)) AS run FROM (
        SELECT DISTINCT toInt64(trade_id) AS id FROM trades
        WHERE venue = {venue:String} AND symbol = {symbol:String}
          AND event_time BETWEEN fromUnixTimestamp64Nano({from_ns:Int64}) AND fromUnixTimestamp64Nano({to_ns:Int64})
    )
) GROUP BY run ORDER BY first
"""
MINUTES = """
SELECT min(id) AS first, max(id) + 1 AS stop FROM (
    SELECT id, id - toInt64(row_number() OVER (ORDER BY id)) AS run FROM (
        SELECT DISTINCT intDiv(toUnixTimestamp(open_time), 60) AS id FROM bars
        WHERE venue = {venue:String} AND symbol = {symbol:String} AND interval = 'I1'
          AND open_time BETWEEN fromUnixTimestamp64Nano({from_ns:Int64}) AND fromUnixTimestamp64Nano({to_ns:Int64})
    )
) GROUP BY run ORDER BY first
"""
NEWEST = """
SELECT max(toInt64(trade_id)) + 1 AS below FROM trades
WHERE venue = {venue:String} AND symbol = {symbol:String} AND sequence IS NOT NULL HAVING count() > 0
"""


class Asked(NamedTuple):
    """The wishes that are meant, and those of them that nobody has asked for yet."""

    wishes: list[Wish]
    new: list[Wish]


def wanted(settings: Settings, venue: str, symbol: str | None, span: tuple[str, str]) -> Asked:
    """
    Put wishes into the set of the ingester and return them; what is there already is left as it is.

    Raises:
        Wrong: a time or a symbol that cannot be wished for.
    """
    from_ns, to_ns = (moment_ns(text) // NS_PER_S * NS_PER_S for text in span)
    if from_ns >= to_ns:
        raise Wrong(f"--from {span[0]} --to {span[1]}: expected a beginning before the end")
    known = {wish.id: wish for wish in under_way(settings, venue)}
    symbols = _asked(settings, venue, symbol)
    wish_of_venue = named_wish if venue in NAMED else _candles if venue == CANDLES_ONLY else _wish
    names = {one: wish_id(one, from_ns, to_ns) for one in symbols}
    made = [known.get(names[one]) or wish_of_venue(settings, venue, one, (from_ns, to_ns)) for one in symbols]
    return Asked(made, [wish for wish in made if wish.id not in known])


def wishing(redis: Redis, venue: str, wishes: Sequence[Wish], words: Sequence[str]) -> Deed:
    """Return the deed that has an ingester fetch what is wished for; `words` are those of the command."""

    async def run() -> str:
        await add_words(redis, backfill_key(f"{venue}_ingester"), [wish.word for wish in wishes])
        return f"asked for: {', '.join(f'{wish.symbol or venue} ({wish.id})' for wish in wishes)}"

    return Deed("backfill", venue, fleet("backfill", venue, *words), run, before="not asked for")


def _asked(settings: Settings, venue: str, symbol: str | None) -> list[str]:
    if venue in WITHOUT_SYMBOLS:
        if symbol:
            raise Wrong(f"--symbol {symbol}: {venue} is read whole, all markets at once")
        return [""]
    return [symbol] if symbol else _symbols(settings, venue)


def _symbols(settings: Settings, venue: str) -> list[str]:
    program = f"{venue}_ingester"
    chosen = ask_redis(settings, lambda redis: words_of(redis, symbols_key(program)))
    configured = settings.symbols_of(program) or ()
    return chosen or [symbol if venue == CANDLES_ONLY else symbol.upper() for symbol in configured]


def _wish(settings: Settings, venue: str, symbol: str, span: tuple[int, int]) -> Wish:
    only: dict[str, Any] = {"venue": venue, "symbol": symbol}
    newest = ask_clickhouse(settings, NEWEST, only)
    if newest.is_empty():
        raise Wrong(
            f"{symbol}: no trade from the stream of {venue} stands yet; without one, nothing tells where to stop"
        )
    margins = {"from_ns": span[0] - MARGIN_NS, "to_ns": span[1] + MARGIN_NS}
    standing = _standing(settings, RUNS, only | margins)
    return Wish(wish_id(symbol, *span), symbol, *span, below=int(newest.item()), standing=standing)


def _candles(settings: Settings, venue: str, symbol: str, span: tuple[int, int]) -> Wish:
    """Return a wish for candles: what stands are minutes since 1970, and the one that runs now comes by itself."""
    facts = {"venue": venue, "symbol": symbol, "from_ns": span[0], "to_ns": span[1]}
    standing = _standing(settings, MINUTES, facts)
    return Wish(wish_id(symbol, *span), symbol, *span, below=now_ns() // MINUTE_NS, standing=standing)


def _standing(settings: Settings, query: str, facts: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    runs = ask_clickhouse(settings, query, facts).rows()
    if len(runs) > MOST_PARTS:
        symbol = facts["symbol"]
        raise Wrong(f"{symbol}: what stands has {len(runs):,} holes, {MOST_PARTS:,} at most; ask for a shorter stretch")
    return tuple((int(first), int(stop)) for first, stop in runs)


def under_way(settings: Settings, venue: str) -> Iterator[Wish]:
    """Yield the wishes that the ingester has not done with."""
    words = ask_redis(settings, lambda redis: words_of(redis, backfill_key(f"{venue}_ingester")))
    yield from (wish for wish in map(wish_of, words) if wish is not None)
