"""Which messages make a book of an instant, and whether one is missing between them: questions to ClickHouse."""

from dataclasses import dataclass
from string import Template
from typing import Any

import polars as pl

from common.clickhouse import Store
from common.streams import Stream

EVER_NS = 2**63 - 1
# A message may be stamped by us a moment before one that stands ahead of it in the stream; it never is by a minute.
SLACK_NS = 60 * 10**9


def _sql(text: str) -> str:
    """Return a question with the words that all have in common."""
    while "$" in text:  # words stand in words
        text = Template(text).substitute(WORDS)
    return text


WORDS = {
    "told": "toUnixTimestamp64Nano(coalesce(event_time, received_time))",
    "received": "toUnixTimestamp64Nano(received_time)",
    "of_book": "venue = {venue:String} AND symbol = {symbol:String}",
    "since": "received_time >= fromUnixTimestamp64Nano({since_ns:Int64}, 'UTC')",
    "behind": "$of_book AND shard = {shard:UInt16} AND $since",
    "in_time": "($told <= {at_ns:Int64} OR offset = {base:UInt64})",
    "messages": "$behind AND offset >= {first:UInt64} AND offset < {stop:UInt64} AND $in_time",
    "snapshots": """
    SELECT venue, symbol, shard, offset, event_time, $told AS told_ns, $received AS received_ns,
           last_sequence IS NOT NULL AS is_numbered,
           if(length(bid_prices) >= depth, toString(bid_prices[-1]), NULL) AS bids_to,
           if(length(ask_prices) >= depth, toString(ask_prices[-1]), NULL) AS asks_to
    FROM book_updates
    WHERE $of_book AND kind = 'snapshot'
    """,
}
NEWEST = _sql("$snapshots ORDER BY received_time DESC, offset DESC LIMIT 1")
# A snapshot to which the venue gives no time holds at the latest from the first change on that was told after it.
LAST_BEFORE = _sql("""
SELECT whole.shard AS shard, whole.offset AS offset, whole.received_ns AS received_ns, is_numbered, bids_to, asks_to,
       if(event_time IS NULL, least(told_ns, coalesce(next.next_ns, told_ns)), told_ns) AS told_ns
FROM ($snapshots) AS whole
ASOF LEFT JOIN
(
    SELECT shard, offset, toNullable(toUnixTimestamp64Nano(assumeNotNull(event_time))) AS next_ns FROM book_updates
    WHERE $of_book AND kind = 'delta' AND event_time IS NOT NULL
) AS next ON whole.shard = next.shard AND whole.offset < next.offset
WHERE told_ns <= {at_ns:Int64}
ORDER BY received_ns DESC, offset DESC LIMIT 1
""")
NEXT_SNAPSHOT = _sql("""
SELECT minOrNull(offset) AS stop FROM book_updates WHERE $behind AND offset > {first:UInt64} AND kind = 'snapshot'
""")
EXTENT = _sql("""
SELECT count() AS messages, max(offset) AS last, argMax($told, offset) AS told_ns, max($received) AS received_ns
FROM book_updates WHERE $messages
""")
# What was said of a price last is its size: a snapshot says it of all, a delta of some, and 0 is gone.
LEVELS = _sql("""
SELECT side, toString(price) AS price, toString(argMax(size, place)) AS size
FROM
(
    SELECT 'bid' AS side, price, size, (offset, number) AS place FROM book_updates
    ARRAY JOIN bid_prices AS price, bid_sizes AS size, arrayEnumerate(bid_prices) AS number WHERE $messages
    UNION ALL
    SELECT 'ask' AS side, price, size, (offset, number) AS place FROM book_updates
    ARRAY JOIN ask_prices AS price, ask_sizes AS size, arrayEnumerate(ask_prices) AS number WHERE $messages
)
GROUP BY side, price
""")
WHOLE = _sql("""
SELECT source, shard, $told AS told_ns, $received AS received_ns,
       arrayMap(p -> toString(p), bid_prices) AS bid_prices, arrayMap(q -> toString(q), bid_sizes) AS bid_sizes,
       arrayMap(p -> toString(p), ask_prices) AS ask_prices, arrayMap(q -> toString(q), ask_sizes) AS ask_sizes
FROM book_snapshots
WHERE $of_book AND $told <= {at_ns:Int64}
ORDER BY received_time DESC, offset DESC LIMIT 1
""")
# A gap of the book holds until its next snapshot. What concerns all symbols of a connection holds until the book speaks
# again if its messages are numbered: a break would have been told. `tickfleet` tells of what was lost behind the wire.
GAP = _sql("""
SELECT venue, channel, kind, expected, found, detail, toUnixTimestamp64Nano(from_time) AS from_ns,
       toUnixTimestamp64Nano(to_time) AS to_ns
FROM feed_events
WHERE toUnixTimestamp64Nano(from_time) <= {at_ns:Int64} AND kind IN ('gap', 'disconnected')
  AND ($of_book AND (startsWith(channel, 'book') AND channel != 'books-full' OR channel IN ('depth', 'orderbooks'))
       AND $received > {whole_ns:Int64}
    OR venue = {venue:String} AND symbol = '' AND channel IN ('connection', 'redis')
       AND $received > {heard_ns:Int64}
    OR venue = 'tickfleet' AND kind = 'gap' AND $received > {whole_ns:Int64}
       AND (startsWith(detail, {key:String}) OR startsWith(detail, {shard_key:String})))
ORDER BY from_time LIMIT 1
""")


@dataclass(frozen=True)
class Base:
    """
    The snapshot that a book begins with.

    Behind `bids_to` and `asks_to` nothing is known, None if it is known to the end. `is_numbered` says whether the
    venue numbers its messages.
    """

    shard: int
    offset: int
    told_ns: int
    received_ns: int
    is_numbered: bool
    bids_to: str | None
    asks_to: str | None


@dataclass(frozen=True)
class Extent:
    """The messages that make a book: how many, the last one's place and time, and when the newest came."""

    messages: int
    last: int
    told_ns: int
    received_ns: int


@dataclass(frozen=True)
class Gap:
    """What is known to be missing, as it was told."""

    venue: str
    channel: str
    kind: str
    expected: str
    found: str
    detail: str
    from_ns: int
    to_ns: int


@dataclass(frozen=True)
class Heard:
    """When a book was whole and was heard of last, by our clock, and the shard of the stream through which it came."""

    source: Stream
    shard: int
    whole_ns: int
    heard_ns: int


@dataclass(frozen=True)
class Changes:
    """Messages of one book in their order, from `first` on; `stop` is the next snapshot, which is not among them."""

    base: Base
    stop: int
    at_ns: int

    def asked(self, first: int) -> dict[str, Any]:
        """Return the parameters of a question about the messages from `first` on."""
        behind = {"shard": self.base.shard, "since_ns": self.base.received_ns - SLACK_NS}
        return behind | {"base": self.base.offset, "first": first, "stop": self.stop, "at_ns": self.at_ns}


class BookPlaces:
    """What stands of one book in the tables."""

    def __init__(self, store: Store, venue: str, symbol: str) -> None:
        self._store = store
        self._of_book = {"venue": venue, "symbol": symbol}

    async def ask(self, sql: str, asked: dict[str, Any]) -> pl.DataFrame:
        """Return the answer to a question about this book."""
        return await self._store.query(sql, self._of_book | asked)

    async def base(self, at_ns: int) -> Base | None:
        """Return the last snapshot at or before an instant."""
        found = await (self.ask(NEWEST, {}) if at_ns == EVER_NS else self.ask(LAST_BEFORE, {"at_ns": at_ns}))
        return Base(**found.select(Base.__match_args__).row(0, named=True)) if len(found) else None

    async def whole(self, at_ns: int) -> dict[str, Any] | None:
        """Return the last row of book_snapshots at or before an instant."""
        found = await self.ask(WHOLE, {"at_ns": at_ns})
        return found.row(0, named=True) if len(found) else None

    async def changes(self, base: Base, at_ns: int) -> Changes:
        """Return which messages belong to a snapshot."""
        everything = Changes(base, EVER_NS, at_ns)
        stop = (await self.ask(NEXT_SNAPSHOT, everything.asked(base.offset)))["stop"][0]
        return everything if stop is None else Changes(base, int(stop), at_ns)

    async def extent(self, changes: Changes) -> Extent:
        """Return how far they go."""
        found = await self.ask(EXTENT, changes.asked(changes.base.offset))
        return Extent(**found.row(0, named=True))

    async def levels(self, changes: Changes, first: int) -> dict[tuple[str, str], str]:
        """Return what the messages from `first` on said last of each (side, price)."""
        found = await self.ask(LEVELS, changes.asked(first))
        return {(side, price): size for side, price, size in found.iter_rows()}

    async def gap(self, at_ns: int, heard: Heard) -> Gap | None:
        """Return what is missing at an instant."""
        times = {"at_ns": at_ns, "whole_ns": heard.whole_ns, "heard_ns": heard.heard_ns}
        topic = heard.source.topic
        keys = {"key": f"stream:{topic}:", "shard_key": f"stream:{{{topic}:{heard.shard}}}:"}
        found = await self.ask(GAP, times | keys)
        return Gap(**found.row(0, named=True)) if len(found) else None
