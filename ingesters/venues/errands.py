"""
What somebody wants fetched again where a venue's ids are not dense: a walk through a stretch of time.

A wish comes with the digests of what stands in its stretch. How far the walk is, is written with what it brings, so
that a kill in the middle goes on from there; the stretches of the last wishes are not walked again, for what they
brought may be on its way to ClickHouse still. One wish is looked into at a time.
"""

from collections.abc import Iterator

import msgspec

from common.clock import NS_PER_S
from common.records import FeedEvent
from common.wishes import Wish, digest, standing_key, wish_of
from ingesters.feed import Forget, Frame, Recall, Step
from ingesters.venues.wishes import Part, Wishes, without

LOST = "what stands in this stretch is not known any more: ask again"


class Progress(msgspec.Struct, omit_defaults=True):
    """How far a wish is: stretches still to be walked, in ns, of how many; `place` is in the venue's own words."""

    wish: str
    total: int
    missing: list[Part]
    found: int = 0
    place: str = ""


_decode = msgspec.json.Decoder(Progress).decode


class Errands:
    """
    The wishes of one program, from what an earlier connection wrote: its progress, and what it was done with.

    Under `venue` and `channel` it is told how they end.
    """

    def __init__(self, program: str, progress: str, settled: str, *, venue: str, channel: str) -> None:
        self._program, self._venue, self._channel = program, venue, channel
        self._wishes = Wishes(program, settled)
        self._progress = _decode(progress) if progress.startswith('{"wish"') else None
        self._standing: frozenset[str] | None = None

    @property
    def recall(self) -> Recall:
        """Return the question for the wishes."""
        return self._wishes.recall

    @property
    def wish(self) -> Wish | None:
        """Return the wish whose stretch can be walked; None while there is none, or its beginnings are not known."""
        return None if self._standing is None else self._wishes.located

    @property
    def progress(self) -> str:
        """Return how far it is, as text that survives."""
        return msgspec.json.encode(self._progress).decode() if self._progress else "{}"

    @property
    def settled(self) -> str:
        """Return what was done lately, as text that survives."""
        return self._wishes.text

    @property
    def part(self) -> Part | None:
        """Return what is to be walked next, half-open, in ns; None when all is."""
        return self._progress.missing[0] if self._progress and self._progress.missing else None

    @property
    def place(self) -> str:
        """Return where the walk is within its part, in the venue's own words; empty at its beginning."""
        return self._progress.place if self._progress else ""

    def is_about(self, key: str | None) -> bool:
        """Return whether a frame answers one of our questions to the fleet."""
        return key is not None and (key == self._wishes.key or key.startswith(f"{self._wishes.key}:"))

    def hear(self, frame: Frame) -> Iterator[Step]:
        """Hear which wishes there are, or what stands in the stretch of one."""
        wish = self._wishes.located
        if frame.reply_to == self._wishes.key:
            yield from self._hear_wishes(frame)
        elif wish is not None and frame.reply_to == standing_key(self._program, wish.id):
            self._begin(wish, frozenset(frame.payload.decode().split()))
        elif words := tuple(frame.payload.decode().splitlines()):
            yield Forget(str(frame.reply_to), words)

    def wants(self, name: str, event_ns: int) -> bool:
        """Return whether a record is to be added: it lies in the part that is walked, and does not stand."""
        first, stop = self.part or (0, 0)
        is_wanted = first <= event_ns < stop and digest(name) not in (self._standing or ())
        if is_wanted and self._progress:
            self._progress.found += 1
        return is_wanted

    def reach(self, event_ns: int, place: str) -> None:
        """Note how far the walk is: all before a moment was told, and beyond it goes on from a place."""
        if self._progress and self._progress.missing:
            first, stop = self._progress.missing[0]
            self._progress.missing[0] = min(max(first, event_ns), stop), stop
            self._progress.place = place

    def leave_part(self) -> None:
        """Note that a part has been walked to its end."""
        if self._progress:
            del self._progress.missing[:1]
            self._progress.place = ""

    def end(self, received_ns: int, refusal: str = "") -> FeedEvent:
        """Be done with the wish, walked whole or refused on the way; return how it ended, for those who wait for it."""
        wish, progress = self._wishes.located, self._progress
        if wish is None or progress is None:
            raise AssertionError("no wish is under way")  # asked for by `wish` before
        first, stop = wish.from_ns, max(wish.from_ns, min(wish.to_ns + 1, wish.below))
        walked = progress.missing[0][0] if progress.missing else stop
        self._wishes.settle(wish.symbol, [(first, walked)], wish.id)
        self._wishes.located, self._progress, self._standing = None, None, None
        return FeedEvent(
            self._venue,
            wish.symbol,
            received_ns,
            channel=self._channel,
            kind="gap" if refusal else "backfilled",
            from_ns=wish.from_ns,
            to_ns=wish.to_ns,
            expected=str(progress.found),
            found=str(progress.found),
            detail=f"wish {wish.id}{': ' if refusal else ''}{refusal}",
        )

    def _hear_wishes(self, frame: Frame) -> Iterator[Step]:
        waiting = self._wishes.located
        forget, wish = self._wishes.hear(frame, ())
        if forget:
            yield forget
            over = [wish_of(word) for word in forget.words]
            yield from (Recall(standing_key(self._program, one.id)) for one in over if one and one.names)
        if wish and wish is not waiting:
            yield Recall(standing_key(self._program, wish.id))
        yield self.recall

    def _begin(self, wish: Wish, standing: frozenset[str]) -> None:
        """Take what stands; a set that is not whole would double what it does not name."""
        self._standing = standing
        stop = max(wish.from_ns, min(wish.to_ns + 1, wish.below))
        if self._progress is None or self._progress.wish != wish.id:
            parts = without((wish.from_ns, stop), self._wishes.settled(wish.symbol))
            missing = [part for part in parts if part[0] < part[1]]
            self._progress = Progress(wish.id, (stop - wish.from_ns) // NS_PER_S, missing)

    @property
    def why_lost(self) -> str:
        """Return why the wish cannot be walked, nothing if it can."""
        wish = self.wish
        return "" if wish is None or len(self._standing or ()) == wish.names else LOST
