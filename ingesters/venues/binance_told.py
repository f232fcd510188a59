"""What is told of a stretch of missing trades, and which stretches the settings ask for."""

from collections.abc import Iterator

from common.records import EventKind, FeedEvent
from common.settings import Settings
from ingesters.venues import binance_wire as wire
from ingesters.venues.binance_stretch import Kind, Stretch


def histories(settings: Settings) -> Iterator[tuple[str, Kind, int]]:
    """Yield the symbols whose history is wanted, in which numbering, and from which id on."""
    for word in settings.binance_history_from_id:
        stream, _, first = word.rpartition(":")
        symbol, _, kind = stream.partition("@")
        yield symbol.upper(), "aggTrade" if kind == "aggTrade" else "trade", int(first)


def told_of(stretch: Stretch, kind: EventKind, received_ns: int, reason: str = "") -> FeedEvent:
    """Return what has become of a stretch."""
    ids = f"ids from {stretch.first}" if stretch.is_open_ended else f"ids {stretch.first} to {stretch.stop - 1}"
    ids += f", wish {stretch.wish}" if stretch.wish else ""
    wanted = stretch.total if stretch.wish else stretch.stop - stretch.first
    return FeedEvent(
        venue=wire.VENUE,
        symbol=stretch.symbol,
        received_ns=received_ns,
        channel=stretch.kind,
        kind=kind,
        from_ns=stretch.to_ns if stretch.from_ns is None else stretch.from_ns,
        to_ns=stretch.to_ns,
        expected="" if stretch.is_open_ended else str(wanted),
        found=str(stretch.found),
        detail=f"{ids}: {reason}" if reason else ids,
    )
