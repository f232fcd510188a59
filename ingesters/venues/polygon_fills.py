"""Fills of the chain as what is recorded of them: told, taken back, or set aside."""

from collections.abc import Iterator
from contextlib import suppress

import msgspec

from common.codec import Origin, dead_letter
from common.records import REMOVED
from ingesters.feed import Step
from ingesters.venues.polygon_logs import Fill, event_of
from ingesters.venues.polygon_memory import Difference
from ingesters.venues.polygon_rpc import VENUE


def corrections(difference: Difference, received_ns: int) -> Iterator[Step]:
    """Take back what was told and is not so any more; tell again what is so again."""
    for fill in (*difference.vanished, *(before for before, _ in difference.moved)):
        with suppress(ValueError):  # then it was set aside, and there is nothing to take back
            yield msgspec.structs.replace(event_of(fill, received_ns), source=REMOVED)
    for fill in (*(now for _, now in difference.moved), *difference.returned):
        yield record(fill, received_ns)


def record(fill: Fill, received_ns: int) -> Step:
    """Return a fill as an event; a log that does not fit its own signature is set aside whole."""
    try:
        return event_of(fill, received_ns)
    except ValueError as error:
        origin = Origin("polygon_ingester", "", fill.id, received_ns, VENUE)
        return dead_letter(msgspec.json.encode(fill.log), origin, reason=str(error))
