"""What stands in the tables beside what the simulator published: lost, doubled, and whether it was told."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.house import Broken, House

TABLES = ("trades", "quotes", "book_updates", "order_events", "feed_events", "dead_letters", "tickers")


@dataclass
class Verdict:
    """What was found; `told` is what is missing and was written down as missing."""

    rows: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    told: int = 0

    @property
    def is_clean(self) -> bool:
        """Return whether nothing is missing without a word, nothing is there twice and nothing out of order."""
        return not (self.lost or self.doubled or self.disordered)


def judge(house: House, ledger: dict[str, Any]) -> Verdict:
    """Return the verdict on all that stands in the tables."""
    verdict = Verdict()
    for table in TABLES:
        rows, places = house.sql(f"SELECT count(), uniqExact(shard, offset) FROM {table}")[0]
        verdict.rows[table] = rows
        if rows != places:
            verdict.doubled.append(f"{table}: {rows - places} rows stand twice under one running number")
    if not verdict.rows["trades"]:
        raise Broken("nothing was recorded: see the logs in the house's folder")
    _trades(house, ledger["binance"]["published"], verdict)
    _order_events(house, ledger["goldsky"], verdict)
    _derived(house, verdict)
    _order(house, verdict)
    return verdict


def _trades(house: House, published: dict[str, Any], verdict: Verdict) -> None:
    """Look for every trade from the first stored to the last stored, or a gap that says which is missing."""
    stored: dict[str, list[int]] = {}
    for symbol, number in house.sql("SELECT symbol, toUInt64(trade_id) FROM trades WHERE venue = 'binance'"):
        stored.setdefault(symbol, []).append(number)
    gaps = house.sql(
        "SELECT symbol, toUInt64OrZero(expected), toUInt64OrZero(found) FROM feed_events "
        "WHERE venue = 'binance' AND channel = 'trade' AND kind = 'gap'"
    )
    for symbol, numbers in stored.items():
        distinct = set(numbers)
        if len(distinct) != len(numbers):
            verdict.doubled.append(f"trades of {symbol}: {len(numbers) - len(distinct)} ids stand twice")
        told = {number for name, first, behind in gaps if name == symbol for number in range(first, behind)}
        missing = set(_ids(published[symbol]["trade"], min(distinct), max(distinct))) - distinct
        verdict.told += len(missing & told)
        if unexplained := sorted(missing - told):
            verdict.lost.append(f"trades of {symbol}: {len(unexplained)} without a word, the first is {unexplained[0]}")


def _ids(facts: dict[str, Any], first: int, last: int) -> Iterator[int]:
    """Yield the ids that were published between two of them."""
    holes = [range(start, stop + 1) for start, stop in facts["holes"]]
    for number in range(max(first, facts["first_id"]), min(last, facts["last_id"]) + 1):
        if not any(number in hole for hole in holes):
            yield number


def _order_events(house: House, goldsky: dict[str, Any], verdict: Verdict) -> None:
    """Look for every event that the subgraph has served, once."""
    stored = [row[0] for row in house.sql("SELECT event_id FROM order_events")]
    if len(set(stored)) != len(stored):
        verdict.doubled.append(f"order_events: {len(stored) - len(set(stored))} events stand twice")
    if missing := set(goldsky["served_ids"]) - set(stored):
        verdict.lost.append(f"order_events: {len(missing)} that were served, e.g. {min(missing)}")


def _derived(house: House, verdict: Verdict) -> None:
    """Look for one trade for every maker's fill."""
    fills = house.sql("SELECT count() FROM order_events WHERE role = 'maker_fill'")[0][0]
    trades, events = house.sql("SELECT count(), uniqExact(trade_id) FROM trades WHERE venue = 'polymarket'")[0]
    if trades != events:
        verdict.doubled.append(f"trades of polymarket: {trades - events} ids stand twice")
    if events < fills:
        verdict.lost.append(f"trades of polymarket: {fills - events} fills gave none")


def _order(house: House, verdict: Verdict) -> None:
    """See that the venue's numbers grow with the place in the stream, symbol by symbol."""
    sources = (("quotes", "sequence"), ("trades", "sequence"), ("book_updates", "last_sequence"))
    for table, number in sources:
        query = (
            f"SELECT symbol, countIf(number < before) FROM (SELECT symbol, assumeNotNull({number}) AS number, "
            "lagInFrame(number, 1, 0) OVER (PARTITION BY symbol ORDER BY offset) AS before "
            f"FROM {table} WHERE venue = 'binance' AND {number} IS NOT NULL) GROUP BY symbol"
        )
        wrong = {symbol: count for symbol, count in house.sql(query) if count}
        if wrong:
            verdict.disordered.append(f"{table}: {wrong}")
