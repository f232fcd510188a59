"""What stands of order events and of the trades made of them, beside what the simulator served."""

from typing import Any

from benchmarks.chaos.verdict import Verdict
from benchmarks.house import House


def fills(house: House, polygon: dict[str, Any], verdict: Verdict) -> None:
    """Look for every fill of the chain up to the newest one that is stored, in the order of the chain."""
    rows = house.sql("SELECT event_id, offset FROM order_events WHERE source = 'chain' ORDER BY offset")
    stored = {event for event, _ in rows}
    if len(stored) != len(rows):
        numbers = [number for event, number in rows if [other for other, _ in rows].count(event) > 1]
        verdict.doubled.append(f"order_events of the chain: {len(rows) - len(stored)} twice, records {numbers[:100]}")
    fills = polygon["event_ids"]
    newest = max((place for place, event in enumerate(fills) if event in stored), default=-1)
    if missing := [event for event in fills[: newest + 1] if event not in stored]:
        verdict.lost.append(f"order_events of the chain: {len(missing)}, the first is {missing[0]}")


def order_events(house: House, goldsky: dict[str, Any], verdict: Verdict) -> None:
    """Look for every event that the subgraph has served, once."""
    stored = [row[0] for row in house.sql("SELECT event_id FROM order_events WHERE source = 'subgraph'")]
    if len(set(stored)) != len(stored):
        verdict.doubled.append(f"order_events: {len(stored) - len(set(stored))} events stand twice")
    served, stands = goldsky["served_ids"], set(stored)
    # An answer that was under way when the ingester was told to stop moves no cursor: it would be asked for again.
    newest = max((place for place, event in enumerate(served) if event in stands), default=-1)
    if missing := set(served[: newest + 1]) - stands:
        verdict.lost.append(f"order_events: {len(missing)} that were served, e.g. {min(missing)}")


def derived(house: House, verdict: Verdict) -> None:
    """Look for one trade for every maker's fill."""
    fills = house.sql("SELECT count() FROM order_events WHERE role = 'maker_fill'")[0][0]
    trades, events = house.sql("SELECT count(), uniqExact(trade_id) FROM trades WHERE venue = 'polymarket'")[0]
    if trades != events:
        where = house.sql(
            "SELECT trade_id, groupArray(offset), groupArray(toString(received_time)) FROM trades "
            "WHERE venue = 'polymarket' GROUP BY trade_id HAVING count() > 1 ORDER BY min(offset) LIMIT 5"
        )
        verdict.doubled.append(f"trades of polymarket: {trades - events} ids stand twice, e.g. {where}")
    if events < fills:
        verdict.lost.append(f"trades of polymarket: {fills - events} fills gave none")
