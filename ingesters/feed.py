"""
The contract between a venue and the ingest loop.

A venue is a conversation without a socket. It says what to do (`Dial`, `Send`, `Fetch`, `Wake`, `Recall`,
`Checkpoint`) and yields records; it hears `Frame`s. It never dials, sleeps, retries or logs. The loop makes a fresh
feed for every connection, so no state can survive one by mistake; what must survive is in `Resume`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import msgspec

from common.errors import WireError
from common.records import Record


class Frame(msgspec.Struct, frozen=True, gc=False):
    """Bytes from the venue: from the socket `wire`, or the answer to the Fetch or Recall named `reply_to`."""

    received_ns: int
    payload: bytes
    wire: str = "main"
    reply_to: str | None = None
    status: int = 200


class KeepAlive(NamedTuple):
    """A text message that a venue wants to hear every `every_s`, because it does not count WebSocket pings."""

    payload: bytes
    every_s: float


class Dial(NamedTuple):
    """Open a WebSocket and call it `wire`; what is sent to it later waits until it stands."""

    url: str
    wire: str = "main"
    headers: tuple[tuple[str, str], ...] = ()
    keep_alive: KeepAlive | None = None


class Send(NamedTuple):
    """Write this to a WebSocket, as text unless it `is_binary`."""

    payload: bytes
    wire: str = "main"
    is_binary: bool = False


class Fetch(NamedTuple):
    """
    Ask by HTTP, `after_s` from now; the answer comes back as a Frame with `reply_to=key`.

    A body makes it a POST of JSON. The loop keeps to the venue's budget (`weight`), repeats on time-outs, 429, 5xx and
    what the budget calls "too much", and gives up with FeedRefused on any other status that is not 200 or in `accept`.
    What is private (an answer that holds a token) is never recorded.
    """

    key: str
    url: str
    body: bytes | None = None
    after_s: float = 0.0
    weight: int = 1
    accept: tuple[int, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    is_private: bool = False


class Wake(NamedTuple):
    """Be given an empty Frame with `reply_to=key`, `after_s` from now."""

    key: str
    after_s: float


class Recall(NamedTuple):
    """Read a set of words that the fleet keeps in Redis, `after_s` from now; they come as a Frame, one a line."""

    key: str
    after_s: float = 0.0


class Forget(NamedTuple):
    """Take words out of a set that the fleet keeps in Redis."""

    key: str
    words: tuple[str, ...]


class Checkpoint(NamedTuple):
    """
    Everything yielded before this may be skipped after a restart.

    `state` is written as plain strings under `state:<name>`, in one transaction with the records of `topic` that were
    yielded before it.
    """

    topic: str
    state: Mapping[str, str]


Step = Record | Dial | Send | Fetch | Wake | Recall | Forget | Checkpoint


@dataclass(frozen=True)
class Resume:
    """
    What survived: where to go on.

    `state` holds the strings under `state:<name>` that the feed's registry entry asks for; `marks` the largest
    `sequence` already in the streams, by (topic, symbol). A record at or below its mark is a repeat.
    """

    state: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[tuple[str, str], int] = field(default_factory=dict)


class Feed(Protocol):
    """A venue, for the length of one connection."""

    @property
    def venue(self) -> str:
        """Return the venue's name, as in the `venue` column."""

    def opening(self) -> Iterable[Step]:
        """Say what to do first: dial, log in, subscribe, fetch."""

    def receive(self, frame: Frame) -> Iterable[Step]:
        """Say what a frame means. Decoding errors may escape: `hear` turns them into one."""


def hear(feed: Feed, frame: Frame) -> Sequence[Step]:
    """
    Return what a frame means, whole or not at all.

    Raises:
        WireError: the bytes are not what the venue documents; they are in the error.
        BadAnswer: the venue could not answer this time.
        FeedRefused: the venue will not serve us.
    """
    try:
        steps = feed.receive(frame)
        return steps if type(steps) is tuple else list(steps)
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, IndexError, ValueError, RecursionError) as error:
        raise WireError(feed.venue, reason=f"{type(error).__name__}: {error}", payload=frame.payload) from error
