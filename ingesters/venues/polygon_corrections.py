"""What a reorganisation of the chain did to fills, as records: taken back, or told again."""

from collections.abc import Iterator
from contextlib import suppress

import msgspec

from common.records import REMOVED
from ingesters.feed import Step
from ingesters.venues.polygon_answers import record_of
from ingesters.venues.polygon_logs import event_of
from ingesters.venues.polygon_memory import Difference


def corrections(difference: Difference, received_ns: int) -> Iterator[Step]:
    """Take back what was told and is not so any more; tell again what is so again."""
    for fill in (*difference.vanished, *(before for before, _ in difference.moved)):
        with suppress(ValueError):  # then it was set aside, and there is nothing to take back
            yield msgspec.structs.replace(event_of(fill, received_ns), source=REMOVED)
    for fill in (*(now for _, now in difference.moved), *difference.returned):
        yield record_of(fill, received_ns)
