"""The sockets of one connection; what they bring goes into its mailbox."""

import asyncio

from picows import WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from common.clock import monotonic_s, now_ns
from common.errors import WireLost
from ingesters.feed import Dial, Frame, KeepAlive, Send
from ingesters.mailbox import Mailbox

MESSAGE = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION)
MAX_FRAME_BYTES = 32 * 2**20
DIAL_TIMEOUT_S = 10.0


class Socket(WSListener):
    """One WebSocket: frames to the mailbox, fragments put together, pings answered, and when it was last heard."""

    def __init__(self, venue: str, wire: str, mailbox: Mailbox) -> None:
        super().__init__()
        self.heard_s = monotonic_s()  # anything, pings too: less than this and the line is dead
        self.spoke_s = monotonic_s()  # messages only: less than this and it is mute
        self.has_spoken = False  # since `judge` looked; a clock for every frame would cost more than this needs
        self._venue = venue
        self._wire = wire
        self._mailbox = mailbox
        self._parts: list[bytes] = []
        self._parts_bytes = 0
        self._transport: WSTransport | None = None
        self.is_paused = False
        self._reason = "the connection ended without a word"

    @property
    def was_connected(self) -> bool:
        """Return whether the handshake was completed."""
        return self._transport is not None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the way back."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame: the hot path."""
        kind = frame.msg_type
        if kind in MESSAGE:
            self.has_spoken = True
            payload = frame.get_payload_as_bytes()
            if self._parts or not frame.fin:
                whole = self._joined(transport, payload, is_last=frame.fin)
                if whole is None:
                    return
                payload = whole
            if self._mailbox.put(Frame(now_ns(), payload, self._wire)):
                self.pause()
        elif kind == WSMsgType.PING:
            self.heard_s = monotonic_s()
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            code = frame.get_close_code()
            said = "without a code" if code == WSCloseCode.NO_INFO else f"{code:d} {frame.get_close_reason() or ''}"
            self._reason = f"closed by the venue: {said.strip()}"
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()

    def on_ws_disconnected(self, _: WSTransport) -> None:
        """Tell that the wire is gone."""
        self._mailbox.lose(WireLost(self._venue, reason=f"{self._wire}: {self._reason}"))

    def _joined(self, transport: WSTransport, part: bytes, *, is_last: bool) -> bytes | None:
        """Return a message that came in fragments once it is whole; no message may grow for ever."""
        self._parts.append(part)
        self._parts_bytes += len(part)
        if self._parts_bytes > MAX_FRAME_BYTES:
            self._reason = f"a message of more than {MAX_FRAME_BYTES} bytes in fragments"
            transport.disconnect(graceful=False)
            return None
        if not is_last:
            return None
        whole = b"".join(self._parts)
        self._parts, self._parts_bytes = [], 0
        return whole

    def pause(self) -> None:
        """Stop reading; the venue's bytes wait in the kernel and then at the venue."""
        if self._transport is not None and not self.is_paused and not self._transport.is_disconnected:
            self._transport.underlying_transport.pause_reading()
            self.is_paused = True

    def resume(self) -> None:
        """Read again."""
        if self._transport is not None and self.is_paused:
            self.is_paused = False
            self.heard_s = self.spoke_s = monotonic_s()  # the silence was ours
            if not self._transport.is_disconnected:
                self._transport.underlying_transport.resume_reading()

    def send(self, payload: bytes, *, is_binary: bool = False) -> None:
        """Write a message."""
        if self._transport is not None:
            self._transport.send(WSMsgType.BINARY if is_binary else WSMsgType.TEXT, payload)

    def hang_up(self) -> None:
        """End the connection politely."""
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.send_close(WSCloseCode.OK)
            self._transport.disconnect()


class Wires:
    """The sockets of one connection."""

    def __init__(self, venue: str, mailbox: Mailbox, dial_s: float = DIAL_TIMEOUT_S) -> None:
        self._venue = venue
        self._mailbox = mailbox
        self._dial_s = dial_s
        self._sockets: dict[str, Socket] = {}
        self._keeping: list[asyncio.Task[None]] = []

    async def dial(self, step: Dial) -> None:
        """Open a WebSocket; raise WireLost when that fails."""
        socket = Socket(self._venue, step.wire, self._mailbox)
        host = step.url.partition("?")[0]
        try:
            async with asyncio.timeout(self._dial_s):
                await ws_connect(
                    lambda: socket,
                    step.url,
                    enable_auto_pong=False,
                    extra_headers=dict(step.headers),
                    max_frame_size=MAX_FRAME_BYTES,
                    logger_name="tickfleet",
                )
        except (OSError, WSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise WireLost(self._venue, reason=f"no connection to {host}: {reason}") from error
        if not socket.was_connected:  # picows returns as if all were well when the venue hangs up in the handshake
            raise WireLost(self._venue, reason=f"no connection to {host}: the venue hung up in the handshake")
        self._sockets[step.wire] = socket
        if step.keep_alive is not None:
            self._keeping.append(asyncio.create_task(_keep_alive(socket, step.keep_alive)))

    @property
    def are_none(self) -> bool:
        """Return whether no socket was dialled."""
        return not self._sockets

    def send(self, step: Send) -> None:
        """Write to a socket that was dialled; where that failed, the connection is lost already."""
        if socket := self._sockets.get(step.wire):
            socket.send(step.payload, is_binary=step.is_binary)

    def pause(self) -> None:
        """Stop reading every socket."""
        for socket in self._sockets.values():
            socket.pause()

    def resume(self) -> None:
        """Read every socket again."""
        for socket in self._sockets.values():
            socket.resume()

    def judge(self, *, dead_s: float, mute_s: float) -> None:
        """Raise WireLost when a socket has been without any byte, or with nothing but pings, for too long."""
        now_s = monotonic_s()
        for wire, socket in self._sockets.items():
            if socket.is_paused:  # the silence is ours
                continue
            if socket.has_spoken:
                socket.has_spoken, socket.heard_s, socket.spoke_s = False, now_s, now_s
            if now_s - socket.heard_s > dead_s:
                raise WireLost(self._venue, reason=f"{wire}: not a byte for {dead_s:g} s")
            if now_s - socket.spoke_s > mute_s:
                raise WireLost(self._venue, reason=f"{wire}: nothing but pings for {mute_s:g} s")

    def hang_up(self) -> None:
        """End every connection."""
        for keeping in self._keeping:
            keeping.cancel()
        for socket in self._sockets.values():
            socket.hang_up()


async def _keep_alive(socket: Socket, word: KeepAlive) -> None:
    while True:
        await asyncio.sleep(word.every_s)
        socket.send(word.payload)
