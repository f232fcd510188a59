"""What Polymarket's market channel says now and then: news of all markets, and what we do not know."""

from collections.abc import Iterable, Iterator

from common.codec import Origin, dead_letter
from common.records import Status
from ingesters.feed import Step
from ingesters.venues import polymarket_clob_records as records
from ingesters.venues import polymarket_clob_wire as wire
from ingesters.venues.polymarket_clob_fields import KNOWN

EXAMPLE_CHARACTERS = 500
MOST_ANNOUNCED = 1000  # that are known again when the next socket tells them too


class Rare:
    """
    Remembers what was told.

    An unknown type is told once as `schema_change`, for a person to look at, and kept whole as a dead letter each time.
    """

    def __init__(self) -> None:
        self._types: set[str] = set()
        self._announced: dict[str, None] = {}

    def listed(self, message: wire.NewMarket, received_ns: int) -> Iterable[Status]:
        """Hear of a new market; every socket tells it, once is enough."""
        return records.listed(message, received_ns) if self._is_news(message) else ()

    def resolved(self, message: wire.MarketResolved, received_ns: int) -> Iterable[Status]:
        """Hear of the end of a market; every socket tells it, once is enough."""
        return records.resolved(message, received_ns) if self._is_news(message) else ()

    def unknown(self, payload: bytes, received_ns: int) -> Iterator[Step]:
        """
        Set a message of an unknown type aside.

        Raises:
            msgspec.ValidationError: the type is known, and the message is damaged.
        """
        kind = wire.KIND.decode(payload)
        if kind.event_type in KNOWN:
            wire.MESSAGE.decode(payload)  # says what is wrong with it
        if kind.event_type not in self._types:
            self._types.add(kind.event_type)
            what = ("", kind.event_type, payload.decode()[:EXAMPLE_CHARACTERS])
            span = (received_ns, received_ns)
            name = kind.event_type or "no event_type"
            yield records.event("schema_change", kind.asset_id, span, received_ns, channel=name, what=what)
        origin = Origin(wire.PROGRAM, "", str(received_ns), received_ns, wire.VENUE, kind.asset_id)
        yield dead_letter(payload, origin, reason=f"unknown message type {kind.event_type!r}")

    def _is_news(self, message: wire.NewMarket | wire.MarketResolved) -> bool:
        name = f"{type(message).__name__} {message.timestamp} {' '.join(message.assets_ids)}"
        if name in self._announced:
            return False
        self._announced[name] = None
        if len(self._announced) > MOST_ANNOUNCED:
            del self._announced[next(iter(self._announced))]
        return True
