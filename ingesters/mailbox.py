"""Sockets and questions of one connection, heard as one stream of frames."""

import asyncio
from bisect import bisect_right
from itertools import accumulate

from common.errors import WireLost
from ingesters.feed import Frame

MOST_WAITING = 5_000  # frames that may wait to be heard; past it, or past so many bytes, the socket is not read
MOST_WAITING_BYTES = 16 * 2**20
MOST_TAKEN = 5_000  # at once, or so many bytes; then all else has its turn: a read may bring ten times as many
MOST_TAKEN_BYTES = 4 * 2**20


class Mailbox:
    """Where frames of all wires wait to be heard, in the order in which their bytes came."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.size_bytes = 0
        self.taken_bytes = 0  # with the last take
        self.lost: WireLost | None = None
        self.arrived = asyncio.Event()

    def put(self, frame: Frame) -> bool:
        """
        Add a frame, unless the connection is lost; an answer goes before the thousands that may wait of a socket.

        Returns:
            whether no more should be read from the sockets for now.
        """
        if self.lost is not None:
            return False
        if frame.reply_to is None:
            self.frames.append(frame)
        else:
            self.frames.insert(0, frame)
        self.size_bytes += len(frame.payload)
        waiting = len(self.frames)
        if waiting == 1:
            self.arrived.set()
        return waiting > MOST_WAITING or self.size_bytes > MOST_WAITING_BYTES

    @property
    def is_full(self) -> bool:
        """Return whether no more should be read from the sockets for now."""
        return len(self.frames) > MOST_WAITING or self.size_bytes > MOST_WAITING_BYTES

    def lose(self, error: WireLost) -> None:
        """Say that a wire is gone: what came before is still heard, then the connection ends."""
        self.lost = self.lost or error
        self.arrived.set()

    async def take(self) -> list[Frame]:
        """
        Return the oldest of what has come since the last time; nothing when somebody else rang the bell.

        Raises:
            WireLost: a wire is gone, and all that it brought has been taken.
        """
        await self.arrived.wait()
        if self.lost is not None and not self.frames:
            raise self.lost
        frames, self.taken_bytes = self.frames, self.size_bytes
        if len(frames) > MOST_TAKEN or self.size_bytes > MOST_TAKEN_BYTES:
            frames = self._some()
        else:
            self.frames = []
        if not self.frames and self.lost is None:
            self.arrived.clear()
        self.size_bytes -= self.taken_bytes
        return frames

    def _some(self) -> list[Frame]:
        """Take the oldest frames within the bounds, at least one."""
        sizes = list(accumulate(len(frame.payload) for frame in self.frames[:MOST_TAKEN]))
        count = min(bisect_right(sizes, MOST_TAKEN_BYTES) + 1, len(sizes))
        frames, self.taken_bytes = self.frames[:count], sizes[count - 1]
        del self.frames[:count]
        return frames
