"""A book as a page shows it: its best levels with running totals, now or at a past second, and the depth as a line."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from monitoring.books import Ladder, Unknown
from monitoring.views.instrument_reading import Book, Found, Given

LEVELS = 20


class Shown(Protocol):
    """A page with books on it."""

    @property
    def books(self) -> tuple["Side", ...]:
        """The newest ones."""

    @property
    def past(self) -> "Side | None":
        """That of a past second."""


@dataclass(frozen=True)
class Rung:
    """A level of a book, exact, with the size of all levels up to it; `share` is that of the largest side, 0 to 1."""

    price: str
    size: str
    total: str
    share: float


@dataclass(frozen=True)
class Side:
    """A book's best levels at an instant: asks and bids, best first; `why` says why there is none."""

    symbol: str
    outcome: str
    bids: tuple[Rung, ...]
    asks: tuple[Rung, ...]
    told_ns: int | None
    source: str
    why: str


def rungs(prices: Sequence[Any], sizes: Sequence[Any], top: Decimal) -> tuple[Rung, ...]:
    """Return levels with their running total, shares of `top`."""
    total, made = Decimal(0), []
    for price, size in zip(prices, sizes, strict=True):
        total += Decimal(size)
        made.append(Rung(plain(price), plain(size), plain(total), float(total / top) if top else 0.0))
    return tuple(made)


def plain(number: object) -> str:
    """Return an exact number without zeros that say nothing."""
    text = f"{Decimal(str(number)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _side(symbol: str, outcome: str, levels: tuple[list[Any], ...], told_ns: int, source: str) -> Side:
    bid_prices, bid_sizes, ask_prices, ask_sizes = (list(part)[:LEVELS] for part in levels)
    top = max(sum(map(Decimal, bid_sizes)), sum(map(Decimal, ask_sizes)))
    return Side(
        symbol,
        outcome,
        rungs(bid_prices, bid_sizes, Decimal(top)),
        rungs(ask_prices, ask_sizes, Decimal(top)),
        told_ns,
        source,
        "",
    )


def newest(symbol: str, outcome: str, book: Book) -> Side:
    """Return the newest levels that are known: of the book, else of the quote."""
    if book.ladder:
        row = book.ladder[0]
        levels = (row["bid_prices"], row["bid_sizes"], row["ask_prices"], row["ask_sizes"])
        return _side(symbol, outcome, levels, row["told_ns"], row["source"])
    if book.quote:
        row = book.quote[0]
        levels = ([row["bid_price"]], [row["bid_size"]], [row["ask_price"]], [row["ask_size"]])
        return _side(symbol, outcome, levels, row["told_ns"], "quote")
    return Side(symbol, outcome, (), (), None, "", "the venue told no book in the last hour")


def past(found: Found, given: Given) -> Side | None:
    """Return the book of the second that was asked for, or why it is not known."""
    if found.past is None:
        return None
    known = found.past.value
    if known is None:
        return Side(given.symbol, "", (), (), found.at_ns, "", f"ClickHouse does not answer: {found.past.problem}")
    if isinstance(known, Unknown):
        gap = f": {known.gap.kind} {known.gap.detail}".rstrip() if known.gap else ""
        return Side(given.symbol, "", (), (), found.at_ns, "", f"not known: {known.why}{gap}")
    return _of_ladder(given.symbol, known)


def _of_ladder(symbol: str, known: Ladder) -> Side:
    levels = (
        [price for price, _ in known.bids], [size for _, size in known.bids],
        [price for price, _ in known.asks], [size for _, size in known.asks],
    )  # fmt: skip
    return _side(symbol, "", levels, known.told_ns, known.source)


def depth_path(side: Sequence[Rung], edge: float, *, is_bid: bool) -> str:
    """Return the running total over the price as an SVG path, 100 x 60; it ends `edge` from the best price."""
    if not side or not edge:
        return ""
    best = float(side[0].price)
    sign = -1 if is_bid else 1
    parts, level_y = ["M50 60"], 60.0
    for rung in side:
        x = 50 + sign * 50 * min(1.0, abs(float(rung.price) - best) / edge)
        parts.append(f"L{x:.2f} {level_y:.2f}")
        level_y = 60 - 56 * rung.share
        parts.append(f"L{x:.2f} {level_y:.2f}")
    parts.append(f"H{50 + sign * 50}V60Z")
    return "".join(parts)


def depth(side: Side) -> dict[str, str]:
    """Return the two areas of a depth chart; both reach as far from their best price."""
    reaches = [abs(float(part[-1].price) - float(part[0].price)) for part in (side.bids, side.asks) if part]
    edge = max(reaches, default=0.0)
    return {
        "bids": depth_path(side.bids, edge, is_bid=True),
        "asks": depth_path(side.asks, edge, is_bid=False),
    }


def areas(page: Shown) -> dict[str, object]:
    """Return the depth charts of a page's books."""
    return {"areas": [depth(side) for side in page.books], "past_area": depth(page.past) if page.past else {}}
