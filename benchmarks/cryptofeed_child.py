"""
Run by cryptofeed's own interpreter: Binance trades through its message handler into its Redis stream back-end.

`python -m benchmarks.cryptofeed_child REDIS_PORT EVENTS` prints JSON: wall and CPU seconds of this process.
"""

import asyncio
import json
import sys
import time

from cryptofeed.backends.redis import TradeStream
from cryptofeed.defines import TRADES
from cryptofeed.exchanges import Binance
from cryptofeed.symbols import Symbols
from redis import asyncio as redis

from benchmarks.trades import SYMBOLS, message

NAMES = {f"{symbol.removesuffix('USDT')}-USDT": symbol for symbol in SYMBOLS}
TICK_FRAMES = 500  # as many as one read from a socket may bring


async def main(port: int, events: int) -> None:
    """Handle messages that were made beforehand, until all entries stand in Redis."""
    Symbols.set(Binance.id, NAMES, {"instrument_type": dict.fromkeys(NAMES, "spot"), "tick_size": {}})
    stream = TradeStream(host="127.0.0.1", port=port)
    feed = Binance(symbols=list(NAMES), channels=[TRADES], callbacks={TRADES: stream})
    stream.start(asyncio.get_running_loop())
    told = [message(number, 1_700_000_000_000 + number // 100).decode() for number in range(events)]
    # cryptofeed listens to aggregated trades, whose id has another name
    told = [
        text.replace("@trade", "@aggTrade").replace('"trade"', '"aggTrade"').replace('"t":', '"a":') for text in told
    ]
    store = redis.Redis(port=port)
    wall_s, cpu_s = time.monotonic(), time.process_time()
    for number, text in enumerate(told):
        await feed.message_handler(text, None, time.time())
        if number % TICK_FRAMES == 0:
            await asyncio.sleep(0)
    keys = [f"trades-{Binance.id}-{name}" for name in NAMES]
    while sum([await store.xlen(key) for key in keys]) < events:  # noqa: ASYNC110  Redis rings no bell
        await asyncio.sleep(0.01)
    print(json.dumps({"wall_s": time.monotonic() - wall_s, "cpu_s": time.process_time() - cpu_s}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
