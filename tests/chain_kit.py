"""What stands of order events when all that was recorded of them is taken together."""

from common.records import REMOVED, OrderEvent
from processors.removal import AROUND_NS


def standing(records):
    """Return the events that stand, by their ids; nothing is told twice, and nothing taken back that does not stand."""
    found = {}
    for record in records:
        if isinstance(record, OrderEvent) and record.source == REMOVED:
            assert abs(found.pop(record.event_id).event_ns - record.event_ns) <= AROUND_NS
        elif isinstance(record, OrderEvent):
            assert record.event_id not in found, record.event_id
            found[record.event_id] = record
    return found
