"""What is taken from a node's results, whichever question they answer."""

import msgspec

from common.codec import Origin, dead_letter
from common.errors import BadAnswer
from common.records import DeadLetter, OrderEvent
from ingesters.venues.polygon_logs import Fill, Header, Log, event_of
from ingesters.venues.polygon_rpc import VENUE, Result, Trouble

PROGRAM = "polygon_ingester"

_HEADER = msgspec.json.Decoder(Header | None)
_LOGS = msgspec.json.Decoder(list[Log])
_TEXT = msgspec.json.Decoder(str)


def headers_of(results: list[Result]) -> list[Header | None]:
    """Return blocks, None for those that the node does not have; raise BadAnswer for an error in place of one."""
    return [_HEADER.decode(sound(result)) for result in results]


def logs_of(result: msgspec.Raw) -> list[Log]:
    """Return the logs of a range of blocks."""
    return _LOGS.decode(result)


def text_of(result: Result) -> str:
    """Return a number as it was written; raise BadAnswer for an error in its place."""
    return _TEXT.decode(sound(result))


def sound(result: Result) -> msgspec.Raw:
    """Return a result; an error in its place is no answer."""
    if isinstance(result, Trouble):
        raise BadAnswer(VENUE, reason=str(result))
    return result


def record_of(fill: Fill, received_ns: int) -> OrderEvent | DeadLetter:
    """Return a fill as an event; a log that does not fit its own signature is set aside whole."""
    try:
        return event_of(fill, received_ns)
    except ValueError as error:
        origin = Origin(PROGRAM, "", fill.id, received_ns, VENUE)
        return dead_letter(msgspec.json.encode(fill.log), origin, reason=str(error))
