"""
Fields that a venue sends and its documentation does not name: told once, while the records are stored as ever.

A field more breaks nothing, so it is no error; but it may be worth having, and a person should hear of it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

import msgspec

from common.records import FeedEvent

EXAMPLE_CHARACTERS = 1000
READABLE_NAMES = 40  # more known names than this tell a reader nothing
MOST_NAMES = 100  # of one kind: beyond that they are data in the place of names, and that much has been told

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def fields_of(payload: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Return the fields of an object by their names, even where the bytes of a name are no text."""
    try:
        return _decode_fields(payload)
    except UnicodeDecodeError:
        return _decode_fields(bytes(payload).decode(errors="replace"))


class Novelty:
    """Knows the names of the fields in each kind of message of a venue, and which others have been told."""

    def __init__(self, venue: str, known: Mapping[str, frozenset[str]]) -> None:
        self._venue = venue
        self._known = known
        self._told: defaultdict[str, set[str]] = defaultdict(set)

    def notice(self, kind: str, names: AbstractSet[str], example: bytes, received_ns: int) -> Iterator[FeedEvent]:
        """Yield what is new among the names in a message, if anything is."""
        known, told = self._known[kind], self._told[kind]
        if names <= known:
            return
        new = sorted(set(names) - known - told)[: MOST_NAMES - len(told)]
        if new:
            told.update(new)
            yield FeedEvent(
                venue=self._venue,
                symbol="",
                received_ns=received_ns,
                channel=kind,
                kind="schema_change",
                from_ns=received_ns,
                to_ns=received_ns,
                expected=", ".join(sorted(known)) if len(known) <= READABLE_NAMES else "",
                found=", ".join(new)[:EXAMPLE_CHARACTERS],
                detail=_excerpt(example, new[0]),
            )


def _excerpt(example: bytes, name: str) -> str:
    """Return the whole of an example; of a long one the part that begins with the new field."""
    text = example.decode(errors="replace")
    start = text.find(f'"{name}"') if len(text) > EXAMPLE_CHARACTERS else 0
    return text[max(0, start) :][:EXAMPLE_CHARACTERS]
