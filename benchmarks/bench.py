"""All parts of the benchmark, and the bars that they are held against."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks import cryptofeed_peer, ours, plain
from benchmarks.book_figures import BookFigures
from benchmarks.house import Broken
from benchmarks.latency import Latency, latency
from benchmarks.limit import Limit, limit
from benchmarks.measure import Figures
from benchmarks.memory import Memory, memory

PARTS = ("throughput", "peers", "limit", "latency", "memory", "books")
RATIO_BAR, P99_BAR_MS, MEMORY_BAR_BYTES = 20.0, 250.0, int(1.5 * 2**30)
PER_S = 2_000


@dataclass(frozen=True)
class Size:
    """How much is sent in each part."""

    ours: int
    plain: int
    peer: int
    limit: int
    latency_s: float
    memory_s: float
    books: int


QUICK = Size(ours=200_000, plain=10_000, peer=20_000, limit=100_000, latency_s=6, memory_s=8, books=8_000)
FULL = Size(ours=1_000_000, plain=40_000, peer=100_000, limit=500_000, latency_s=20, memory_s=20, books=20_000)


@dataclass
class Found:
    """What was measured; None where a part was not asked for. `notes` say what could not be had, and why."""

    ours: Figures | None = None
    plain: Figures | None = None
    peer: Figures | None = None
    limit: Limit | None = None
    latency: Latency | None = None
    memory: Memory | None = None
    books: BookFigures | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """Return what was missing or doubled anywhere on our own path."""
        return [part.fault for part in (self.ours, self.latency) if part is not None and part.fault]


@dataclass(frozen=True)
class Bar:
    """A claim and whether it holds on this machine."""

    claim: str
    found: str
    is_met: bool


def run(size: Size, parts: Sequence[str]) -> Found:
    """Measure some parts, one after the other."""
    found = Found()
    for part in parts:
        print(f"bench: {part} ...", file=sys.stderr)
        _PARTS[part](found, size)
    return found


def _throughput(found: Found, size: Size) -> None:
    found.ours = ours.throughput(size.ours)


def _peers(found: Found, size: Size) -> None:
    found.plain = plain.throughput(size.plain)
    try:
        found.peer = cryptofeed_peer.throughput(size.peer)
    except Broken as error:
        found.notes.append(f"cryptofeed could not be had: {error}")


def _limit(found: Found, size: Size) -> None:
    try:
        found.limit = limit(size.limit)
    except Broken as error:
        found.notes.append(f"no limit: {error}")


def _latency(found: Found, size: Size) -> None:
    found.latency = latency(PER_S, size.latency_s)


def _memory(found: Found, size: Size) -> None:
    found.memory = memory(size.memory_s)


def _books(found: Found, size: Size) -> None:
    try:
        from benchmarks import books  # noqa: PLC0415  its peer is no part of the fleet, and may not be there
    except ImportError as error:
        found.notes.append(f"no books: {error}; install requirements-dev.txt")
    else:
        found.books = books.measure(size.books)


_PARTS = {
    "throughput": _throughput,
    "peers": _peers,
    "limit": _limit,
    "latency": _latency,
    "memory": _memory,
    "books": _books,
}


def bars(found: Found) -> list[Bar]:
    """Return the claims that these parts can judge."""
    judged = []
    if found.ours and found.plain:
        ratio = found.ours.per_cpu_s / found.plain.per_cpu_s
        judged.append(Bar(f"{RATIO_BAR:.0f} x the plain design per CPU-second", f"{ratio:.1f} x", ratio >= RATIO_BAR))
    if found.latency:
        p99 = found.latency.p99_ms
        judged.append(Bar(f"p99 below {P99_BAR_MS:.0f} ms at {PER_S:,} trades/s", f"{p99:.0f} ms", p99 <= P99_BAR_MS))
    if found.memory:
        held = found.memory.default_bytes
        words = f"{held / 2**30:.2f} GiB"
        judged.append(Bar("the default fleet below 1.5 GiB", words, held <= MEMORY_BAR_BYTES))
    if found.books:
        judged += [Bar(*bar) for bar in found.books.bars]
    for name, part in (("throughput", found.ours), ("latency", found.latency)):
        if part:
            judged.append(Bar(f"every trade exactly once ({name})", part.fault or "so it is", not part.fault))
    return judged
