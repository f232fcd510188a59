"""Fields, and words of an enumeration, that Upstox sends and its published schema does not name."""

from collections import defaultdict
from collections.abc import Iterator

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from common.records import FeedEvent
from ingesters.venues import upstox_pb2 as pb
from ingesters.venues.novelty import Novelty
from ingesters.venues.upstox_wire import VENUE

MESSAGES = tuple(pb.DESCRIPTOR.message_types_by_name)
KNOWN = {name: frozenset(kind.fields_by_name) for name, kind in pb.DESCRIPTOR.message_types_by_name.items()}
FRAMES_A_LOOK = 500
FEEDS_A_LOOK = 20


class Watch:
    """Looks through the first frames of each type, and then through one in so many: a look costs more than reading."""

    def __init__(self) -> None:
        self._novelty = Novelty(VENUE, KNOWN)
        self._frames = 0
        self._seen: set[int] = set()

    def look(self, response: pb.FeedResponse, payload: bytes, received_ns: int) -> Iterator[FeedEvent]:
        """Yield what is new in a frame, if it is its turn."""
        self._frames += 1
        if response.type in self._seen and self._frames % FRAMES_A_LOOK:
            return
        self._seen.add(response.type)
        names: defaultdict[str, set[str]] = defaultdict(set)
        for kind, name in _unknown(response):
            names[kind].add(name)
        for kind, found in names.items():
            yield from self._novelty.notice(kind, found, payload.hex().encode(), received_ns)


def _unknown(response: pb.FeedResponse) -> Iterator[tuple[str, str]]:
    if response.type not in pb.Type.values():
        yield "FeedResponse", f"type={response.type}"
    yield from _fields(response)
    yield from _fields(response.marketInfo)
    for segment, status in response.marketInfo.segmentStatus.items():
        if status not in pb.MarketStatus.values():
            yield "MarketInfo", f"{segment}={status}"
    for key in sorted(response.feeds)[:FEEDS_A_LOOK]:
        feed = response.feeds[key]
        if feed.requestMode not in pb.RequestMode.values():
            yield "Feed", f"requestMode={feed.requestMode}"
        yield from _all_fields(feed)


def _all_fields(message: Message) -> Iterator[tuple[str, str]]:
    yield from _fields(message)
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for inner in value if field.is_repeated else (value,):
            yield from _all_fields(inner)


def _fields(message: Message) -> Iterator[tuple[str, str]]:
    unknown = UnknownFieldSet(message)
    for index in range(len(unknown)):
        yield message.DESCRIPTOR.name, f"field {unknown[index].field_number}"
