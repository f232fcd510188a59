"""One WebSocket connection as a venue sees it: whole frames out, keep-alive, limits, and faults on the way."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from websockets.exceptions import ConnectionClosed
from websockets.frames import Opcode
from websockets.protocol import State

from common.clock import NS_PER_MS, now_ns
from simulator.connection import Connection, Outgoing, encoded
from simulator.faults import Fault, Faults
from simulator.limits import Limits, Window

GARBAGE = b"{\x00 this is no JSON"


class Gone(Exception):
    """The client, or a fault, ended the connection. What next: nothing; the client dials again."""


class Wire:
    """What a venue's conversation holds in its hand."""

    def __init__(self, connection: Connection, venue: str, number: int, *, faults: Faults, limits: Limits) -> None:
        self.venue = venue
        self.number = number
        self.limits = limits
        self.farewell: Callable[[], bytes] | None = None
        self.credit: Callable[[object], None] = lambda _fact: None
        self._connection = connection
        self._faults = faults
        self._noted: set[int] = set()
        self._held: Outgoing | None = None
        self._is_deaf = False
        connection.inbound = Window(1.0)
        connection.inbound_per_s = limits.inbound_per_s

    @property
    def path(self) -> str:
        """Return path and query of the handshake."""
        request = self._connection.request
        return request.path if request else "/"

    def header(self, name: str) -> str:
        """Return a header of the handshake, empty if it was not sent."""
        request = self._connection.request
        return request.headers.get(name, "") if request else ""

    def admit(self, inbound_per_s: int | None) -> None:
        """Take so many messages a second from the client; None takes any number."""
        self._connection.inbound_per_s = inbound_per_s

    def subscribed(self, subject: str) -> None:
        """Hear that a stream was subscribed to."""
        self._faults.cure(self.venue, subject)

    def lift_inbound_limit(self) -> None:
        """Take as many messages as come: not every venue counts them by the second."""
        self._connection.inbound_per_s = None

    async def receive(self) -> str | bytes:
        """Return the next message of the client."""
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            raise Gone from error

    async def send(self, messages: Sequence[Outgoing]) -> None:
        """Send messages in their order; returns when the client has taken enough of them to go on."""
        if not self._faults.threatens(self.venue) and self._held is None:
            await self._write(messages)
            return
        for message in messages:
            await self._send_under_fault(message)

    async def reply(self, payload: bytes, opcode: Opcode = Opcode.TEXT) -> None:
        """Answer a command; nothing but silence keeps the venue from it."""
        await self._obey_silence("")
        await self._write_raw(encoded(payload, opcode))

    async def _write(self, messages: Sequence[Outgoing]) -> None:
        await self._write_raw(b"".join([encoded(message.payload, message.opcode) for message in messages]))
        for message in messages:
            self.credit(message.fact)

    async def _write_raw(self, data: bytes) -> None:
        connection = self._connection
        if connection.state is not State.OPEN or connection.transport.is_closing():
            raise Gone
        connection.transport.write(data)
        # A drain is the back-pressure; without the sleep a quick client would starve all others.
        await connection.drain()
        await asyncio.sleep(0)

    async def _send_under_fault(self, message: Outgoing) -> None:
        await self._obey_silence(message.subject)
        fault = self._faults.strike(
            self.venue,
            ("gap", "mute", "duplicate", "reorder", "garbage", "truncated", "slow", "disconnect", "close", "shutdown"),
            message.subject,
            self.number,
        )
        held, self._held = self._held, None
        await self._send_one(message, fault)
        if held is not None:
            await self._write([held])

    async def _send_one(self, message: Outgoing, fault: Fault | None) -> None:
        if fault is None:
            await self._write([message])
        elif fault.kind in ("disconnect", "close", "shutdown"):
            await self._end(fault, message)
        elif fault.kind == "reorder":
            self._held = message
        elif fault.kind not in ("gap", "mute"):
            await self._send_spoiled(message, fault)

    async def _send_spoiled(self, message: Outgoing, fault: Fault) -> None:
        if fault.kind == "truncated":
            await self._write_raw(encoded(message.payload[: len(message.payload) // 2], message.opcode))
            return
        if fault.kind == "garbage":
            await self._write_raw(encoded(fault.body.encode() or GARBAGE))
        if fault.kind == "slow":
            await asyncio.sleep(fault.delay_s)
        await self._write([message, message] if fault.kind == "duplicate" else [message])

    async def _obey_silence(self, subject: str) -> None:
        while fault := self._faults.in_force(self.venue, "silence", subject, self.number):
            if fault.number not in self._noted:
                self._noted.add(fault.number)
                self._faults.note(fault, subject, self.number)
            await self._faults.wait_until_over(fault)

    async def _end(self, fault: Fault, message: Outgoing | None = None) -> None:
        if fault.kind == "disconnect":
            if message:
                await self._write_raw(encoded(message.payload, message.opcode)[: len(message.payload) // 2])
            self.abort()
            raise Gone
        if fault.kind == "shutdown" and self.farewell:
            await self._write_raw(encoded(self.farewell()))
            await asyncio.sleep(fault.delay_s)
        await self.close(fault.code)
        raise Gone

    async def close(self, code: int, reason: str = "") -> None:
        """Close with good manners, if the client takes part."""
        await self._connection.close(code, reason)

    def abort(self) -> None:
        """Break the connection without a word."""
        self._connection.transport.abort()

    async def watch_faults(self) -> None:
        """Carry out what strikes a connection even when there is nothing to send."""
        while True:
            await asyncio.sleep(0.02)
            if not self._faults.orders and not self._is_deaf:
                continue
            self._obey_half_open()
            fault = self._faults.in_force(self.venue, "silence", "", self.number)
            if fault is None and (struck := self._strike_connection()):
                with contextlib.suppress(Gone):
                    await self._end(struck)

    def _strike_connection(self) -> Fault | None:
        for kind in ("disconnect", "close", "shutdown"):
            fault = self._faults.in_force(self.venue, kind, "", self.number)
            if fault and fault.skip == 0:
                return self._faults.strike(self.venue, (kind,), "", self.number)
        return None

    def _obey_half_open(self) -> None:
        fault = self._faults.in_force(self.venue, "silence", "", self.number)
        transport = self._connection.transport
        if fault and not fault.answers_pings and not self._is_deaf:
            # Not reading is what a half-open connection is: pings and closes of the client go unheard.
            self._is_deaf = True
            transport.pause_reading()
            self._noted.add(fault.number)
            self._faults.note(fault, "", self.number)
        elif fault is None and self._is_deaf:
            self._is_deaf = False
            transport.resume_reading()

    async def keep_alive(self) -> None:
        """Ping now and then; cut the connection when a ping was not answered in time."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.limits.ping_every_s)
            if self._faults.in_force(self.venue, "silence", "", self.number):
                continue
            with contextlib.suppress(ConnectionClosed):
                answered = asyncio.ensure_future(await self._connection.ping(str(now_ns() // NS_PER_MS)))
                loop.call_later(self.limits.pong_within_s, self._cut_unless, answered)

    def _cut_unless(self, answered: asyncio.Future[float]) -> None:
        if not answered.done():
            self.abort()

    async def grow_old(self) -> None:
        """Say goodbye and close at the end of the connection's life."""
        await asyncio.sleep(self.limits.connection_lifetime_s)
        with contextlib.suppress(Gone):
            await self._end(Fault(kind="shutdown", venue=self.venue))
