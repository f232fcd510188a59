"""The book of any instant, from what the venue told: exact, or not known, never a guess."""

from dataclasses import dataclass, field
from decimal import Decimal

from common.clickhouse import Store
from common.streams import BOOK_SNAPSHOTS, BOOKS
from monitoring.book_place import EVER_NS, Base, BookPlaces, Extent, Gap, Heard

Level = tuple[Decimal, Decimal]
NOTHING = "nothing of it is stored at or before that time"
MISSING = "something is missing since then"


@dataclass(frozen=True)
class Ladder:
    """
    A book at an instant, best level first, as far as it is known.

    `source` is book_updates, or the source of a row of book_snapshots. It is made of `messages` messages since
    `whole_ns`, the last of them of `told_ns`; all times are the venue's where it tells them.
    """

    source: str
    whole_ns: int
    told_ns: int
    messages: int
    bids: list[Level] = field(repr=False)
    asks: list[Level] = field(repr=False)


@dataclass(frozen=True)
class Unknown:
    """Why there is no book of an instant; `since_ns` is when it was last known."""

    why: str
    since_ns: int | None = None
    gap: Gap | None = None


class BookAt:
    """One book, asked for again and again: only what has come since is read again."""

    def __init__(self, store: Store, venue: str, symbol: str) -> None:
        self._places = BookPlaces(store, venue, symbol)
        self._base: Base | None = None
        self._read_to = -1
        self._levels: dict[tuple[str, str], str] = {}

    async def at(self, at_ns: int | None) -> Ladder | Unknown:
        """Return the book of an instant, of the newest state without one."""
        at_ns = EVER_NS if at_ns is None else at_ns
        base = await self._places.base(at_ns)
        if base is None:
            return await self._from_snapshots(at_ns)
        changes = await self._places.changes(base, at_ns)
        extent = await self._places.extent(changes)
        heard_ns = extent.received_ns if base.is_numbered else base.received_ns
        gap = await self._places.gap(at_ns, Heard(BOOKS, base.shard, base.received_ns, heard_ns))
        if gap is not None:
            return Unknown(MISSING, extent.told_ns, gap)
        if base != self._base or at_ns != EVER_NS:
            self._base, self._read_to, self._levels = base, base.offset - 1, {}
        self._levels |= await self._places.levels(changes, self._read_to + 1)
        self._read_to = extent.last
        return self._ladder(base, extent)

    def _ladder(self, base: Base, extent: Extent) -> Ladder:
        self._levels = {place: size for place, size in self._levels.items() if size != "0"}
        bids = _best_first(self._levels, "bid", base.bids_to)
        asks = _best_first(self._levels, "ask", base.asks_to)
        return Ladder("book_updates", base.told_ns, extent.told_ns, extent.messages, bids, asks)

    async def _from_snapshots(self, at_ns: int) -> Ladder | Unknown:
        """Return the newest book that stands whole: the venue tells no changes, or they are stored no more."""
        row = await self._places.whole(at_ns)
        came_ns, shard = (-1, 0) if row is None else (int(row["received_ns"]), int(row["shard"]))
        gap = await self._places.gap(at_ns, Heard(BOOK_SNAPSHOTS, shard, came_ns, came_ns))
        if row is None:
            return Unknown(NOTHING, None, gap)
        if gap is not None:
            return Unknown(MISSING, row["told_ns"], gap)
        bids, asks = (
            list(zip(map(Decimal, row[f"{side}_prices"]), map(Decimal, row[f"{side}_sizes"]), strict=True))
            for side in ("bid", "ask")
        )
        return Ladder(row["source"], row["told_ns"], row["told_ns"], 1, bids, asks)


def _best_first(levels: dict[tuple[str, str], str], side: str, known_to: str | None) -> list[Level]:
    sign = 1 if side == "bid" else -1
    found = [(Decimal(price), Decimal(size)) for (which, price), size in levels.items() if which == side]
    if known_to is not None:
        found = [level for level in found if sign * level[0] >= sign * Decimal(known_to)]
    return sorted(found, key=lambda level: -sign * level[0])
