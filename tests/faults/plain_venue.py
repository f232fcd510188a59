"""A venue that counts, and what the tests do to Redis beside it."""

import asyncio
import time
from contextlib import suppress

from websockets.exceptions import ConnectionClosed

NAME = "plain_ingester"
EVERY_S = 0.01
AT_ONCE = 20  # 2,000 a second


class Numbers:
    """A venue that counts; `sent` is how far it has come."""

    def __init__(self):
        self.sent = 0

    async def talk(self, socket):
        with suppress(ConnectionClosed):
            while True:
                for _ in range(AT_ONCE):
                    await socket.send(str(self.sent))
                    self.sent += 1
                await asyncio.sleep(EVERY_S)


async def until(ask, what, give_up_s=40.0):
    deadline_s = time.monotonic() + give_up_s
    while not await asyncio.to_thread(ask):
        assert time.monotonic() < deadline_s, what
        await asyncio.sleep(0.05)


def restart_redis(fleet):
    fleet.restart("redis")
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        with suppress(Exception):
            return fleet.redis.ping()
        time.sleep(0.02)
    raise AssertionError("redis did not come back")


async def killed(fleet, name):
    await asyncio.to_thread(fleet.kill, name)
