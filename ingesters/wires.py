"""The wires of one connection; what they bring goes into its mailbox."""

import asyncio
from collections.abc import Callable

from ingesters.feed import Dial, Send
from ingesters.line import Line
from ingesters.mailbox import Mailbox

DIAL_TIMEOUT_S = 10.0


def _nobody(_detail: str) -> None:
    """Hear that one of two sockets ended."""


class Wires:
    """The wires of one connection; with `has_spares` each is two sockets, and `tell` hears when one of them ends."""

    def __init__(
        self,
        venue: str,
        mailbox: Mailbox,
        dial_s: float = DIAL_TIMEOUT_S,
        *,
        has_spares: bool = False,
        tell: Callable[[str], None] = _nobody,
    ) -> None:
        self._venue = venue
        self._mailbox = mailbox
        self._dial_s = dial_s
        self._has_spares = has_spares
        self._tell = tell
        self._turn = asyncio.Lock()
        self._lines: dict[str, Line] = {}

    async def dial(self, step: Dial) -> None:
        """Open a WebSocket; raise WireLost when that fails."""
        line = Line(self._venue, step, self._mailbox, dial_s=self._dial_s, turn=self._turn, tell=self._tell)
        await line.open(has_spare=self._has_spares)
        self._lines[step.wire] = line

    @property
    def are_none(self) -> bool:
        """Return whether no socket was dialled."""
        return not self._lines

    def send(self, step: Send) -> None:
        """Write to a wire that was dialled; where that failed, the connection is lost already."""
        if line := self._lines.get(step.wire):
            line.send(step)

    def leave(self, wire: str) -> bool:
        """Have the sockets of a wire replaced before they end; return whether that is possible."""
        line = self._lines.get(wire)
        return line is not None and line.leave()

    def pause(self) -> None:
        """Stop reading every socket."""
        for line in self._lines.values():
            for socket in line.sockets:
                socket.pause()

    def resume(self) -> None:
        """Read every socket again."""
        for line in self._lines.values():
            for socket in line.sockets:
                socket.resume()

    def judge(self, *, dead_s: float, mute_s: float) -> None:
        """Raise WireLost when a wire has been without any byte, or with nothing but pings, for too long."""
        for line in self._lines.values():
            line.judge(dead_s=dead_s, mute_s=mute_s)

    def hang_up(self) -> None:
        """End every connection."""
        for line in self._lines.values():
            line.hang_up()
