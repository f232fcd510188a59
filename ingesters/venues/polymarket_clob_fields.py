"""
The names of all fields that messages of the order book service were ever seen with, also of those we do not use.

https://docs.polymarket.com/developers/CLOB/websocket/market-channel
"""

from collections import Counter
from collections.abc import Iterator

import msgspec

from common.records import FeedEvent
from ingesters.venues.novelty import Novelty, fields_of
from ingesters.venues.polymarket_clob_wire import VENUE

_NAMES = {
    "book": "event_type asset_id market timestamp hash bids asks buys sells tick_size last_trade_price min_order_size"
    " neg_risk",
    "price_change": "event_type market timestamp price_changes asset_id changes hash price side size best_bid best_ask"
    " fee_rate_bps",
    "price_changes": "asset_id price size side hash best_bid best_ask",
    "changes": "price side size",
    "last_trade_price": "event_type asset_id market price side size fee_rate_bps timestamp transaction_hash",
    "tick_size_change": "event_type asset_id market old_tick_size new_tick_size timestamp",
    "best_bid_ask": "event_type asset_id market best_bid best_ask spread timestamp",
    "new_market": "event_type id question market slug description assets_ids outcomes event_message timestamp tags"
    " condition_id active clob_token_ids sports_market_type line game_start_time order_price_min_tick_size"
    " group_item_title taker_base_fee fees_enabled fee_schedule",
    "market_resolved": "event_type id question market slug description assets_ids outcomes winning_asset_id"
    " winning_outcome event_message timestamp tags",
    "books": "asset_id market timestamp hash bids asks min_order_size tick_size neg_risk last_trade_price",
}
KNOWN = {kind: frozenset(names.split()) for kind, names in _NAMES.items()}
MESSAGES_A_LOOK = 1000  # of a kind: a look costs as much as reading the message

_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Watch:
    """Looks at the first message of each kind, and again after so many."""

    def __init__(self) -> None:
        self._novelty = Novelty(VENUE, KNOWN)
        self._heard: Counter[str] = Counter()

    def is_due(self, kind: str) -> bool:
        """Count a message; return whether it is to be looked at."""
        number = self._heard[kind]
        self._heard[kind] = number + 1
        return number % MESSAGES_A_LOOK == 0

    def look(self, kind: str, message: bytes, received_ns: int) -> Iterator[FeedEvent]:
        """Yield what is new in a message; of the levels in it the first stands for all."""
        fields = fields_of(message)
        yield from self._novelty.notice(kind, fields.keys(), message, received_ns)
        for name in ("price_changes", "changes"):
            if name in fields and (levels := _decode_list(fields[name])):
                yield from self._novelty.notice(name, fields_of(levels[0]).keys(), message, received_ns)
