"""Rows of the subgraph as order events: what is told, and what is taken back."""

from collections.abc import Iterator

import msgspec

from common.clock import NS_PER_S
from common.records import REMOVED, OrderEvent
from ingesters.venues.event_errands import late
from ingesters.venues.goldsky_page import Row
from ingesters.venues.goldsky_recheck import Difference

# The exchange is the taker of one event per match, the one that sums up the taker's order.
# https://github.com/Polymarket/ctf-exchange/blob/main/src/exchange/mixins/Trading.sol
EXCHANGES = frozenset(
    {
        "0x4bfb41d5b3570defd03c39a9a4d8de6bd8b8982e",  # first version
        "0xc5d563a36ae78145c45a50134d48a1215220f80a",  # first version, negative-risk markets
        "0xe111180000d2663c0091e4f400237545b87b996b",  # second version
        "0xe2222d279d744050d28e00520010520000310f59",  # second version, negative-risk markets
    }
)
COLLATERAL = "0"


def records(difference: Difference, received_ns: int, *, are_late: bool) -> Iterator[OrderEvent]:
    """Yield what is to stand, behind what it takes the place of; whether the new ones `are_late`, the walk says."""
    for before, _ in difference.changed:
        yield removal(before, received_ns)
    for row in difference.new:
        new = event(row, received_ns)
        yield late(new) if are_late else new
    for row in (*difference.returned, *(now for _, now in difference.changed)):
        yield event(row, received_ns)


def removal(row: Row, received_ns: int) -> OrderEvent:
    """Return the word that an event is not so any more."""
    return msgspec.structs.replace(event(row, received_ns), source=REMOVED)


def event(row: Row, received_ns: int) -> OrderEvent:
    """Return an event; it has a token if exactly one of its sides is collateral."""
    sides = (row.maker_asset_id, row.taker_asset_id)
    taker = row.taker.lower()
    return OrderEvent(
        venue="polymarket",
        symbol=next(side for side in sides if side != COLLATERAL) if sides.count(COLLATERAL) == 1 else "",
        received_ns=received_ns,
        event_id=row.id,
        event_ns=int(row.timestamp) * NS_PER_S,
        transaction_hash=row.transaction_hash.lower(),
        order_hash=row.order_hash.lower(),
        maker=row.maker.lower(),
        taker=taker,
        maker_asset_id=row.maker_asset_id,
        taker_asset_id=row.taker_asset_id,
        maker_amount=row.maker_amount_filled,
        taker_amount=row.taker_amount_filled,
        fee=row.fee,
        role="taker_order" if taker in EXCHANGES else "maker_fill",
        source="subgraph",
    )
