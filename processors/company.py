"""Batches of a process side by side, or one alone: then it is known which one a process died of."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Company:
    """What the shards of a process share."""

    def __init__(self) -> None:
        self._gate = asyncio.Lock()
        self._idle = asyncio.Event()
        self._idle.set()
        self._at_work = 0

    @asynccontextmanager
    async def among(self) -> AsyncIterator[None]:
        """Work beside others, once nobody needs to be alone."""
        async with self._gate:
            self._at_work += 1
            self._idle.clear()
        try:
            yield
        finally:
            self._at_work -= 1
            if not self._at_work:
                self._idle.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Work while nobody else does."""
        async with self._gate:
            await self._idle.wait()
            yield
