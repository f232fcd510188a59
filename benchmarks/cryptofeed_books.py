"""
Run by cryptofeed's own interpreter: Binance book changes through its message handler into the books that it keeps.

`python -m benchmarks.cryptofeed_books FILE` reads JSON lines of messages, the first of each symbol its snapshot, and
prints JSON: messages, CPU seconds and the levels that are left. It makes no statistics.
"""

import asyncio
import json
import sys
import time
from decimal import Decimal
from pathlib import Path

from cryptofeed.defines import ASK, BID, L2_BOOK
from cryptofeed.exchanges import Binance
from cryptofeed.symbols import Symbols
from cryptofeed.types import OrderBook

Levels = list[list[str]]


async def _heard(_: object, __: float) -> None:
    """Take a book as a user's callback does, and do nothing with it."""


def _book(symbol: str, told: dict[str, Levels]) -> OrderBook:
    sides = [{Decimal(price): Decimal(size) for price, size in told[side]} for side in ("b", "a")]
    return OrderBook(Binance.id, symbol, bids=sides[0], asks=sides[1])


async def main(lines: list[str]) -> None:
    """Handle messages that were made beforehand."""
    told = [json.loads(line) for line in lines]
    firsts = {one["s"]: one for one in reversed(told)}
    names = {f"{symbol.removesuffix('USDT')}-USDT": symbol for symbol in firsts}
    Symbols.set(Binance.id, names, {"instrument_type": dict.fromkeys(names, "spot"), "tick_size": {}})
    feed = Binance(symbols=list(names), channels=[L2_BOOK], callbacks={L2_BOOK: _heard})
    for name, symbol in names.items():
        feed._l2_book[name] = _book(name, firsts[symbol])  # noqa: SLF001  it would ask the venue for it
        feed.last_update_id[name] = firsts[symbol]["u"]
    changes = [
        json.dumps({"stream": f"{one['s'].lower()}@depth", "data": one}) for one in told if one is not firsts[one["s"]]
    ]
    before_s = time.process_time()
    for change in changes:
        await feed.message_handler(change, None, time.time())
    cpu_s = time.process_time() - before_s
    levels = sum(len(book.book[BID]) + len(book.book[ASK]) for book in feed._l2_book.values())  # noqa: SLF001  as above
    print(json.dumps({"messages": len(changes), "cpu_s": cpu_s, "levels": levels}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).read_text().splitlines()))
