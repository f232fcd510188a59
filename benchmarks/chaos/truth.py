"""What stands in the tables beside what the simulator published: lost, doubled, and whether it was told."""

import json
import subprocess
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.chaos.events import derived, fills, order_events
from benchmarks.chaos.verdict import Verdict
from benchmarks.house import ROOT, Broken, House

TABLES = (
    "trades",
    "quotes",
    "book_updates",
    "book_snapshots",
    "order_events",
    "feed_events",
    "dead_letters",
    "tickers",
    "statuses",
)
AWAY = ("gap", "disconnected", "stale", "refused")
SLACK_NS = 2 * 10**9  # between the venue's clock at a trade and ours at the event that tells of it
PROVE_S = 120.0
EDGE_NS = 10**9


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
    _numbered(house, "okx", ledger["okx"]["published"], verdict)
    _numbered(house, "alpaca", ledger["alpaca"]["published"], verdict)
    order_events(house, ledger["goldsky"], verdict)
    fills(house, ledger["polygon"], verdict)
    published = sum(kinds.get("bookTicker", {}).get("distinct", 0) for kinds in ledger["binance"]["published"].values())
    verdict.unheard_quotes = published - house.sql("SELECT count() FROM quotes WHERE venue = 'binance'")[0][0]
    derived(house, verdict)
    _order(house, verdict)
    return verdict


def _trades(house: House, published: dict[str, Any], verdict: Verdict) -> None:
    """Look for every trade from the first stored to the last stored, or a gap that says which is missing."""
    stored: dict[str, list[int]] = {}
    times: dict[str, dict[int, int]] = {}
    for symbol, number, event_ns in house.sql(
        "SELECT symbol, toUInt64(trade_id), toUnixTimestamp64Nano(event_time) FROM trades WHERE venue = 'binance'"
    ):
        stored.setdefault(symbol, []).append(number)
        times.setdefault(symbol, {})[number] = event_ns
    lost_by_redis = house.sql(
        "SELECT toUnixTimestamp64Nano(from_time), toUnixTimestamp64Nano(to_time) FROM feed_events "
        "WHERE venue = 'binance' AND channel = 'redis' AND kind = 'gap'"
    )
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
        known = sorted(times[symbol].items())
        told |= {number for number in missing - told if _is_told(number, known, lost_by_redis)}
        verdict.told += len(missing & told)
        if unexplained := sorted(missing - told):
            verdict.lost.append(f"trades of {symbol}: {len(unexplained)} without a word, the first is {unexplained[0]}")


def _numbered(house: House, venue: str, published: dict[str, Any], verdict: Verdict) -> None:
    """Look for every numbered trade of a venue between the first and the last stored, or an event of its stretch."""
    stored: dict[tuple[str, str], dict[int, int]] = {}
    doubled: Counter[str] = Counter()
    rows = house.sql(
        "SELECT symbol, exchange, toUInt64OrZero(splitByChar('-', trade_id)[-1]), toUnixTimestamp64Nano(event_time) "
        f"FROM trades WHERE venue = '{venue}'"
    )
    for symbol, exchange, number, event_ns in rows:
        kind = f"t{exchange}" if venue == "alpaca" else "trades-all"
        times = stored.setdefault((symbol, kind), {})
        doubled[symbol] += number in times
        times[number] = event_ns
    verdict.doubled += [f"trades of {venue} {symbol}: {count} ids stand twice" for symbol, count in (+doubled).items()]
    away = house.sql(
        "SELECT symbol, toUnixTimestamp64Nano(from_time), toUnixTimestamp64Nano(to_time) FROM feed_events "
        f"WHERE venue = '{venue}' AND kind IN {AWAY} UNION ALL "
        # A message that arrived unreadable is kept whole as a dead letter: what it was is not known, when it came is.
        "SELECT symbol, toUnixTimestamp64Nano(received_time), toUnixTimestamp64Nano(received_time) FROM dead_letters "
        f"WHERE venue = '{venue}'"
    )
    for (symbol, kind), times in stored.items():
        facts = published.get(symbol, {}).get(kind)
        if facts is None or "first_id" not in facts:
            continue  # from before the simulator's first message, by REST
        missing = [number for number in _ids(facts, min(times), max(times)) if number not in times]
        stretches = [(start, stop) for name, start, stop in away if name in ("", symbol)]
        known = sorted(times.items())
        told = [number for number in missing if _is_told(number, known, stretches)]
        verdict.told += len(told)
        if unexplained := sorted(set(missing) - set(told)):
            verdict.lost.append(f"trades of {venue} {symbol}: {len(unexplained)}, the first is {unexplained[0]}")


def _is_told(number: int, known: list[tuple[int, int]], stretches: Sequence[tuple[Any, ...]]) -> bool:
    """Return whether an event speaks of the time between the neighbours of a missing trade."""
    place = bisect_left(known, (number, 0))
    before_ns, behind_ns = known[place - 1][1] - SLACK_NS, known[place][1] + SLACK_NS
    return any(start <= behind_ns and stop >= before_ns for start, stop in stretches)


def outages(house: House, stretches: Sequence[tuple[int, int]], verdict: Verdict) -> None:
    """Look for what an ingester heard while Redis was away, before it was killed: no venue tells quotes again."""
    for from_ns, to_ns in stretches:
        heard = house.sql(
            "SELECT count() FROM quotes WHERE venue = 'binance' AND received_time BETWEEN "
            f"fromUnixTimestamp64Nano({from_ns + EDGE_NS}) AND fromUnixTimestamp64Nano({to_ns - EDGE_NS})"
        )[0][0]
        if not heard:
            verdict.lost.append(f"quotes: all of {(to_ns - from_ns) / 10**9:.1f} s in which redis was away")


def prove(house: House, verdict: Verdict) -> None:
    """Have the fleet's own proof by running numbers say of every table that nothing is missing or doubled."""
    command = [sys.executable, "-m", "monitoring.cli", "quality", "--prove", "--json"]
    proven = subprocess.run(
        command, cwd=ROOT, env=house.environment, capture_output=True, timeout=PROVE_S, check=False, text=True
    )
    try:
        proofs = json.loads(proven.stdout)
    except ValueError:
        verdict.unproven.append(f"no proof, exit code {proven.returncode}: {proven.stderr.strip()[-500:]}")
        return
    for proof in proofs:
        holes = [hole for hole in proof["holes"] if not hole["why"]]
        if not proof["proven"]:
            verdict.unproven.append(
                f"{proof['table']} {proof['shard']}: {proof['doubled']} doubled, unexplained holes {holes[:3]}"
            )


def _ids(facts: dict[str, Any], first: int, last: int) -> Iterator[int]:
    """Yield the ids that were published between two of them."""
    start, end = max(first, facts["first_id"]), min(last, facts["last_id"])
    for hole_start, hole_stop in sorted(facts["holes"]):
        yield from range(start, min(hole_start, end + 1))
        start = max(start, hole_stop + 1)
    yield from range(start, end + 1)


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
