"""
What a feed calls a wire: a socket, or two that stand side by side and say the same.

Of two, each message is heard once; when one ends, the other is heard alone until a new one stands. A socket that is
going to end, because the venue says so or because of its age, ends when the new one has spoken.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import count

from common.backoff import delays_s
from common.clock import monotonic_s
from common.errors import WireLost
from common.log import logger
from ingesters.feed import Dial, Frame, KeepAlive, Send
from ingesters.mailbox import Mailbox
from ingesters.merge import Merge
from ingesters.sockets import Socket, open_socket

TWO = 2
DIAL_EVERY_S = 1.0
ASK_EVERY_S = 0.25  # Binance hangs up on more than 5 messages a second
SPEAK_S = 10.0  # for a new socket to say something, before an old one is left
SETTLE_S = 2.0  # for all of its subscriptions to be in force
LIFE_S = 23 * 3600.0  # venues end a connection after 24 hours

log = logger("ingest")


class Line:
    """A wire of one conversation."""

    def __init__(
        self,
        venue: str,
        step: Dial,
        mailbox: Mailbox,
        *,
        dial_s: float,
        turn: asyncio.Lock,
        tell: Callable[[str], None],
    ) -> None:
        self.sockets: list[Socket] = []  # the oldest first
        self._venue = venue
        self._step = step
        self._mailbox = mailbox
        self._dial_s = dial_s
        self._turn = turn
        self._tell = tell
        self._numbers = count()
        self._merge = Merge()
        self._asked: dict[Send, None] = {}  # what makes a new socket hear the same, in its order
        self._leaving: list[Socket] = []
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_over = False

    async def open(self, *, has_spare: bool) -> None:
        """Open a WebSocket, and a second one a little later; raise WireLost when the first fails."""
        await self._dial(is_alone=not has_spare)
        if has_spare:
            self._tasks.append(asyncio.create_task(self._keep_two()))

    def send(self, step: Send) -> None:
        """Write to every socket, also to those that will be opened."""
        self._asked.pop(step, None)
        self._asked[step] = None
        for socket in self.sockets:
            socket.send(step.payload, is_binary=step.is_binary)

    def leave(self) -> bool:
        """Have every socket replaced before it ends; return whether that is possible."""
        if not self._has_spare:
            return False
        self._leaving = list(self.sockets)
        self._changed.set()
        return True

    def judge(self, *, dead_s: float, mute_s: float) -> None:
        """Raise WireLost when the last socket has been silent for too long; end one that has another beside it."""
        for socket in list(self.sockets):
            if wrong := socket.silence(dead_s=dead_s, mute_s=mute_s):
                if len(self.sockets) == 1:
                    raise self._lost(wrong)
                socket.drop(wrong)
            elif self._has_spare and self._is_old(socket) and socket not in self._leaving:
                self._leaving.append(socket)
                self._changed.set()

    def hang_up(self) -> None:
        """End every connection."""
        self._is_over = True
        for task in self._tasks:
            task.cancel()
        for socket in self.sockets:
            socket.hang_up()

    @property
    def _has_spare(self) -> bool:
        return bool(self._tasks) and not self._is_over

    def _is_old(self, socket: Socket) -> bool:
        """Return whether the venue will end it soon; of the first two the second gets half as old, or both would go."""
        return monotonic_s() - socket.dialled_s > (LIFE_S / TWO if socket.number == 1 else LIFE_S)

    async def _dial(self, *, is_alone: bool) -> Socket:
        number = next(self._numbers)
        take = self._mailbox.put if is_alone else partial(self._take, number)
        socket = Socket(self._step.wire, take, self._gone, number)
        await open_socket(self._venue, self._step, socket, self._dial_s)
        self.sockets.append(socket)
        if self._step.keep_alive is not None:
            socket.keeping = asyncio.create_task(_keep_alive(socket, self._step.keep_alive))
        await self._repeat(socket)
        return socket

    async def _repeat(self, new: Socket) -> None:
        """Ask a new socket what the others were asked, also meanwhile, no faster than venues want to be spoken to."""
        said: set[Send] = set()
        while new in self.sockets and (step := next((step for step in self._asked if step not in said), None)):
            if said:
                await asyncio.sleep(ASK_EVERY_S)
            said.add(step)
            new.send(step.payload, is_binary=step.is_binary)

    def _take(self, number: int, frame: Frame) -> bool:
        return self._merge.is_new(frame.payload, number, frame.received_ns) and self._mailbox.put(frame)

    def _gone(self, socket: Socket, reason: str) -> None:
        if socket.keeping is not None:
            socket.keeping.cancel()
        socket.spoken.set()  # nobody need wait for it
        is_planned = socket in self._leaving
        self._leaving = [one for one in self._leaving if one is not socket]
        if socket in self.sockets:
            self.sockets.remove(socket)
        if not self.sockets:
            self._mailbox.lose(self._lost(reason))
        elif not self._is_over:
            self._tell(f"{self._step.wire}: {'left, for ' if is_planned else ''}{reason}; its twin stands")
        self._changed.set()

    def _lost(self, reason: str) -> WireLost:
        return WireLost(self._venue, reason=f"{self._step.wire}: {reason}")

    async def _keep_two(self) -> None:
        """Have two sockets stand, for ever."""
        pauses = delays_s()
        while True:
            if len(self.sockets) >= TWO and not self._leaving:
                self._changed.clear()
                await self._changed.wait()
                continue
            await asyncio.sleep(next(pauses))
            try:
                async with self._turn:  # of all wires one a second: venues count handshakes
                    await asyncio.sleep(DIAL_EVERY_S)
                    socket = await self._dial(is_alone=False)
            except WireLost as error:
                log.warning("ingest.no_spare", venue=self._venue, wire=self._step.wire, reason=error.reason)
                continue
            if await self._has_settled(socket):
                pauses = delays_s()
                if self._leaving and socket not in self._leaving:  # it may be told to go itself, just opened
                    self._leaving[0].drop("a new one stands in its place")

    async def _has_settled(self, new: Socket) -> bool:
        """Return whether a new socket says all that the others say; one that says nothing is hung up."""
        try:
            async with asyncio.timeout(SPEAK_S):
                await new.spoken.wait()
        except TimeoutError:
            new.drop(f"not a word for {SPEAK_S:g} s after it was opened")
            return False
        await asyncio.sleep(SETTLE_S)
        return new in self.sockets


async def _keep_alive(socket: Socket, word: KeepAlive) -> None:
    while True:
        await asyncio.sleep(word.every_s)
        socket.send(word.payload)
