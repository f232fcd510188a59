"""`fleet book`: the order book of any instant, rebuilt from what the venue told, or live."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate, zip_longest
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from common import clickhouse
from common.clickhouse import Store
from common.clock import NS_PER_S, now_ns
from common.settings import Settings
from monitoring.books import BookAt, Ladder, Level, Unknown
from monitoring.cli.asking import Call
from monitoring.cli.exits import FAILED, USAGE
from monitoring.cli.printing import console, number, show_json, table, tell

EXAMPLES = """
Examples:  fleet book binance BTCUSDT  |  fleet book okx BTC-USDT --at 2026-11-01T12:00:00.5 --depth 25  |
fleet book binance BTCUSDT --json | jq '.bids[0]'
"""
REFRESH_S = 1.0
BPS = 10_000
COLUMNS = ("sum>", "size>", "bid>", "ask>", "size>", "sum>")


def book(
    ctx: typer.Context,
    venue: Annotated[str, typer.Argument(help="As in the column venue, e.g. binance.")],
    symbol: Annotated[str, typer.Argument(help="The venue's own spelling.")],
    at: Annotated[str, typer.Option(metavar="TIME", help="ISO 8601; without a zone it is UTC. Default: live.")] = "",
    depth: Annotated[int, typer.Option(min=1, help="Levels a side.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Show a book as it was then or as it is; where something is missing it says so and shows none."""
    call: Call = ctx.obj
    at_ns = _instant(at) if at else None
    if at_ns is None and not as_json and console().is_terminal:
        asyncio.run(_live(call.settings, venue, symbol, depth))
        return
    found = asyncio.run(_book(call.settings, venue, symbol).at(at_ns))
    if as_json:
        show_json({"venue": venue, "symbol": symbol, "at": _time(at_ns), **_facts(found, depth)})
    elif isinstance(found, Ladder):
        console().print(_frame(f"{venue} {symbol}", found, at_ns, depth))
    else:
        tell(_words(f"{venue} {symbol}", found))
    if isinstance(found, Unknown):
        raise typer.Exit(FAILED)


def _instant(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        tell(f"--at: expected a time such as 2026-11-01T12:00:00.5, found {text!r}")
        raise typer.Exit(USAGE) from error
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return ((since.days * 86_400 + since.seconds) * 10**6 + since.microseconds) * 1000


def _book(settings: Settings, venue: str, symbol: str) -> BookAt:
    return BookAt(Store(clickhouse.connect(settings)), venue, symbol)


async def _live(settings: Settings, venue: str, symbol: str, depth: int) -> None:
    kept = _book(settings, venue, symbol)
    name = f"{venue} {symbol}"
    with Live(console=console(), auto_refresh=False) as live:
        while True:
            found = await kept.at(None)
            frame = _frame(name, found, None, depth) if isinstance(found, Ladder) else Text(_words(name, found))
            live.update(frame, refresh=True)
            await asyncio.sleep(REFRESH_S)


def _frame(name: str, ladder: Ladder, at_ns: int | None, depth: int) -> RenderableType:
    """Return the best levels of both sides beside each other, and what they say."""
    bids, asks = ladder.bids[:depth], ladder.asks[:depth]
    cells = [(*bid, *reversed(ask)) for bid, ask in zip_longest(_side(bids), _side(asks), fillvalue=("", "", ""))]
    age_s = ((now_ns() if at_ns is None else at_ns) - ladder.told_ns) / NS_PER_S
    origin = f"{ladder.source}, whole at {_time(ladder.whole_ns)}, {ladder.messages:,} messages since"
    last = f"last message {_time(ladder.told_ns)}, {number(age_s, digits=1)} s before"
    said = ", ".join(f"{what} {_short(value)}" for what, value in _measures(ladder).items() if value is not None)
    return Group(table(name, COLUMNS, cells), Text(f"{said}\n{last}\n{origin}", style="dim"))


def _side(levels: Sequence[Level]) -> list[tuple[str, str, str]]:
    """Return (sum, size, price) of each level."""
    sums = accumulate(size for _, size in levels)
    return [(f"{total:f}", f"{size:f}", f"{price:f}") for (price, size), total in zip(levels, sums, strict=True)]


def _measures(ladder: Ladder) -> dict[str, Decimal | None]:
    names = ("mid", "spread", "spread_bps", "imbalance")
    if not ladder.bids or not ladder.asks:
        return dict.fromkeys(names)
    (bid, bid_size), (ask, ask_size) = ladder.bids[0], ladder.asks[0]
    mid, spread = (bid + ask) / 2, ask - bid
    imbalance = (bid_size - ask_size) / (bid_size + ask_size)
    return dict(zip(names, (mid, spread, BPS * spread / mid if mid else None, imbalance), strict=True))


def _short(value: Decimal) -> str:
    return f"{value:.10g}"


def _facts(found: Ladder | Unknown, depth: int) -> dict[str, Any]:
    if isinstance(found, Unknown):
        gap = found.gap and asdict(found.gap)
        for end in ("from", "to"):
            if gap:
                gap[end] = _time(gap.pop(f"{end}_ns"))
        return {"known": False, "why": found.why, "last_known": _time(found.since_ns), "gap": gap}
    sides = {"bids": found.bids[:depth], "asks": found.asks[:depth]}
    return {
        "known": True,
        "source": found.source,
        "whole": _time(found.whole_ns),
        "last_message": _time(found.told_ns),
        "messages": found.messages,
        **{name: None if value is None else float(value) for name, value in _measures(found).items()},
        **{
            name: [{"price": f"{price:f}", "size": f"{size:f}"} for price, size in levels]
            for name, levels in sides.items()
        },
    }


def _words(name: str, found: Unknown) -> str:
    said = f"{name}: the book is not known then: {found.why}"
    if found.since_ns is not None:
        said += f" ({_time(found.since_ns)})"
    if (gap := found.gap) is not None:
        said += f"; {gap.kind} of {gap.venue} {gap.channel} from {_time(gap.from_ns)} to {_time(gap.to_ns)}"
        details = [gap.detail, gap.expected and f"expected {gap.expected}", gap.found and f"found {gap.found}"]
        said += "".join(f", {detail}" for detail in details if detail)
    return said


def _time(at_ns: int | None) -> str | None:
    """Return a time in UTC, whole to the nanosecond."""
    if at_ns is None:
        return None
    seconds, rest_ns = divmod(at_ns, NS_PER_S)
    fraction = f".{rest_ns:09d}".rstrip("0").rstrip(".")
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"
