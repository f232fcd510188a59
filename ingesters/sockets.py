"""One WebSocket, from the handshake to its end."""

import asyncio
from collections.abc import Callable

from picows import WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from common.clock import monotonic_s, now_ns
from common.errors import WireLost
from ingesters.feed import Dial, Frame

MESSAGE = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION)
MAX_FRAME_BYTES = 32 * 2**20

Take = Callable[[Frame], bool]
Gone = Callable[["Socket", str], None]


class Socket(WSListener):
    """
    One WebSocket: frames handed on, fragments put together, pings answered, and when it was last heard.

    `take` hears each message and tells whether to stop reading, `gone` why the socket ended.
    """

    def __init__(self, wire: str, take: Take, gone: Gone, number: int = 0) -> None:
        super().__init__()
        self.dialled_s = monotonic_s()
        self.heard_s = monotonic_s()  # anything, pings too: less than this and the line is dead
        self.spoke_s = monotonic_s()  # messages only: less than this and it is mute
        self.has_spoken = False  # since `judge` looked; a clock for every frame would cost more than this needs
        self.wire = wire
        self.number = number  # in the order of dialling
        self.keeping: asyncio.Task[None] | None = None  # what says the venue's own kind of ping
        self.spoken = asyncio.Event()
        self._take = take
        self._gone = gone
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
            if not self.has_spoken:
                self.has_spoken = True
                self.spoken.set()
            payload = frame.get_payload_as_bytes()
            if self._parts or not frame.fin:
                whole = self._joined(transport, payload, is_last=frame.fin)
                if whole is None:
                    return
                payload = whole
            if self._take(Frame(now_ns(), payload, self.wire)):
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
        self._gone(self, self._reason)

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

    def silence(self, *, dead_s: float, mute_s: float) -> str:
        """Return what is wrong: not a byte, or nothing but pings, for too long; nothing while the silence is ours."""
        now_s = monotonic_s()
        if self.is_paused:
            return ""
        if self.has_spoken:
            self.has_spoken, self.heard_s, self.spoke_s = False, now_s, now_s
        if now_s - self.heard_s > dead_s:
            return f"not a byte for {dead_s:g} s"
        return f"nothing but pings for {mute_s:g} s" if now_s - self.spoke_s > mute_s else ""

    def drop(self, reason: str) -> None:
        """End the connection for a reason of ours."""
        self._reason = reason
        self.hang_up()

    def hang_up(self) -> None:
        """End the connection politely."""
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.send_close(WSCloseCode.OK)
            self._transport.disconnect()


async def open_socket(venue: str, step: Dial, socket: Socket, dial_s: float) -> None:
    """Dial; raise WireLost when that fails."""
    host = step.url.partition("?")[0]
    try:
        async with asyncio.timeout(dial_s):
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
        raise WireLost(venue, reason=f"no connection to {host}: {reason}") from error
    if not socket.was_connected:  # picows returns as if all were well when the venue hangs up in the handshake
        raise WireLost(venue, reason=f"no connection to {host}: the venue hung up in the handshake")
