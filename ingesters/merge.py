"""What two sockets say that are asked the same: each message once, from whichever says it first."""

from collections import deque

WINDOW_NS = 10 * 10**9  # a socket that lags behind more than this is caught by the numbers of what it says


class Merge:
    """
    Messages of the last seconds, and how often each socket has said them.

    The venue makes a message once and writes the same bytes to all who listen. Whatever one socket says more often than
    every other is new, so that what the venue repeats on purpose is heard as often as it is said.
    """

    def __init__(self) -> None:
        self._said: dict[bytes, dict[int, int]] = {}
        self._order: deque[tuple[int, bytes]] = deque()

    def is_new(self, payload: bytes, socket: int, now_ns: int) -> bool:
        """Take what a socket says; return whether no other has said it before."""
        while self._order and self._order[0][0] < now_ns - WINDOW_NS:
            del self._said[self._order.popleft()[1]]
        times = self._said.get(payload)
        if times is None:
            self._said[payload] = {socket: 1}
            self._order.append((now_ns, payload))
            return True
        count = times.get(socket, 0) + 1
        times[socket] = count
        return all(count > other for one, other in times.items() if one != socket)
