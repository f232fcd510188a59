"""Rows of another shape than was asked for: set aside whole, and each shape told once."""

from collections.abc import Iterable, Iterator

import msgspec

from common.clock import NS_PER_S
from common.codec import Origin, dead_letter
from common.records import DeadLetter, FeedEvent
from ingesters.venues.goldsky_head import feed_event
from ingesters.venues.goldsky_page import VENUE, Odd

PROGRAM = "goldsky_ingester"
MOST_REMEMBERED = 20_000  # rows come again with each reading of the last ten minutes
MOST_SHAPES = 20
EXAMPLE_CHARACTERS = 1000


class OddRows:
    """Remembers what was set aside, and which shapes were told."""

    def __init__(self) -> None:
        self._letters: dict[str, None] = {}
        self._shapes: set[str] = set()

    def set_aside(self, rows: Iterable[Odd], received_ns: int) -> Iterator[DeadLetter | FeedEvent]:
        """Yield what has not been yielded before."""
        for row in rows:
            letter = dead_letter(row.raw, Origin(PROGRAM, "", "row", received_ns, VENUE), reason=row.reason)
            if letter.id not in self._letters:
                self._letters[letter.id] = None
                yield letter
                yield from self._shape(row, received_ns)
        while len(self._letters) > MOST_REMEMBERED:
            del self._letters[next(iter(self._letters))]

    def _shape(self, row: Odd, received_ns: int) -> Iterator[FeedEvent]:
        if row.reason in self._shapes or len(self._shapes) >= MOST_SHAPES:
            return
        self._shapes.add(row.reason)
        at_ns = row.cursor.timestamp * NS_PER_S if row.cursor else received_ns
        example = row.raw.decode(errors="replace")[:EXAMPLE_CHARACTERS]
        event = feed_event("schema_change", example, from_ns=at_ns, to_ns=at_ns, received_ns=received_ns)
        yield msgspec.structs.replace(event, channel="orderFilledEvents", found=row.reason)
