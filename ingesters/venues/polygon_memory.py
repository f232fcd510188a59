"""What was told of the newest blocks, so that a reorganisation of the chain can be seen and set right."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from ingesters.venues.polygon_logs import Fill

BLOCKS = 64  # of memory below the newest one told; the chain calls a block final long before
MOST_FILLS = 10_000


class Place(NamedTuple):
    """A block that we have seen: what it was called, and its second."""

    number: int
    hash: str
    timestamp: int


class Difference(NamedTuple):
    """
    What a second reading of blocks found: fills that were told and are gone, and fills to be told.

    `moved` have another block now: (as they were told, as they are). `unnamed` are gone as well: of these we know the
    block alone, since a process before us has told them.
    """

    vanished: list[Fill]
    returned: list[Fill]
    moved: list[tuple[Fill, Fill]]
    late: list[Fill]
    unnamed: list[str]


class _Kept(msgspec.Struct):
    since: int = 0
    places: list[Place] = []
    told: dict[str, int] = {}
    gone: dict[str, int] = {}
    stays: dict[str, int] = {}  # gone as well, but nobody can say any more which rows those are

    @property
    def known(self) -> tuple[dict[str, int], ...]:
        """Return all fills that are no news, with their blocks."""
        return self.told, self.gone, self.stays


_KEPT = msgspec.json.Decoder(_Kept)


class Memory:
    """
    The fills of the blocks above `since` by a digest of their ids, and the hashes of these blocks.

    It is written down with the fills themselves, for a kill may fall together with a reorganisation.
    """

    def __init__(self, text: str, *, since: int) -> None:
        self._kept = _KEPT.decode(text) if text else _Kept(since=since)
        self._fills: dict[str, Fill] = {}  # that this process has read

    @property
    def since(self) -> int:
        """Return the last block of which nothing is remembered."""
        return self._kept.since

    @property
    def places(self) -> list[Place]:
        """Return the blocks remembered, newest first."""
        return sorted(self._kept.places, reverse=True)

    @property
    def is_named(self) -> bool:
        """Return whether we know every fill itself, and not its digest alone."""
        return self._kept.told.keys() <= self._fills.keys()

    def save(self) -> str:
        """Return it as text."""
        return msgspec.json.encode(self._kept).decode()

    def begin(self, block: int) -> None:
        """Begin behind a block."""
        self._kept = _Kept(since=block)

    def remember(self, fills: Iterable[Fill], places: Iterable[Place]) -> None:
        """Keep what was told, and forget what has become too old or too much."""
        for fill in fills:
            name = _digest(fill.id)
            self._fills[name] = fill
            self._kept.told[name] = fill.log.block
        self._kept.places = list({place.number: place for place in [*self._kept.places, *places]}.values())
        self._shorten()

    def compare(self, fills: list[Fill], places: list[Place], *, after: int, until: int) -> Difference:
        """Take a second reading of the blocks after one until another; return how it differs from the first."""
        kept = self._kept
        found = {_digest(fill.id): fill for fill in fills}
        read = [name for name, block in kept.told.items() if after < block <= until]
        vanished = [name for name in read if name not in found]
        returned = [name for name in found if name in kept.gone]
        moved = [name for name, fill in found.items() if kept.told.get(name, fill.log.block) != fill.log.block]
        difference = Difference(
            [self._fills[name] for name in vanished if name in self._fills],
            [found[name] for name in returned],
            [(self._fills[name], found[name]) for name in moved if name in self._fills],
            [fill for name, fill in found.items() if not any(name in known for known in kept.known)],
            [f"an event of block {kept.told[name]}" for name in vanished if name not in self._fills],
        )
        for name in vanished:
            (kept.gone if name in self._fills else kept.stays)[name] = kept.told.pop(name)
        for name in found:
            kept.gone.pop(name, None)
            kept.stays.pop(name, None)
        kept.places = [place for place in kept.places if not after < place.number <= until]
        self.remember(fills, places)
        return difference

    def _shorten(self) -> None:
        kept = self._kept
        newest = max((place.number for place in kept.places), default=kept.since)
        kept.since = max(kept.since, newest - BLOCKS)
        if len(kept.told) > MOST_FILLS:
            kept.since = max(kept.since, sorted(kept.told.values())[-MOST_FILLS])
        kept.places = [place for place in kept.places if place.number > kept.since]
        kept.told = {name: block for name, block in kept.told.items() if block > kept.since}
        kept.gone = {name: block for name, block in kept.gone.items() if block > kept.since}
        kept.stays = {name: block for name, block in kept.stays.items() if block > kept.since}
        self._fills = {name: fill for name, fill in self._fills.items() if name in kept.told}


def _digest(event_id: str) -> str:
    return hashlib.blake2b(event_id.encode(), digest_size=8).hexdigest()
