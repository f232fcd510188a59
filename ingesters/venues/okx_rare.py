"""What OKX says now and then: acknowledgements, errors, notices, and what we do not know."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from common.codec import Origin, dead_letter
from common.errors import WireLost
from common.records import FeedEvent
from ingesters.feed import Frame, Step
from ingesters.venues import okx_wire as wire
from ingesters.venues.okx_fields import Read
from ingesters.venues.okx_requests import Requests

EXAMPLE_CHARACTERS = 500
TOO_FREQUENT = "60014"
GOING_AWAY = "64008"  # the connection will be closed for an upgrade, within a minute
SILENT = ("subscribe", "unsubscribe", "login", "channel-conn-count")
SUBJECT = re.compile(r"channel:\s*([\w-]+),\s*instId:\s*([\w-]+)")


class Rare:
    """
    The way for all frames that are not read at sight.

    An unknown kind is told once as `schema_change`, for a person to look at, and kept whole as a dead letter each time.
    """

    def __init__(self, readers: Mapping[bytes, Read], requests: Requests, give_up: Callable[[str, str], None]) -> None:
        self._readers = readers
        self._requests = requests
        self._give_up = give_up  # hears the channel and the symbol that were refused
        self._told: set[str] = set()

    def hear(self, frame: Frame) -> Iterable[Step]:
        """
        Return what a frame means.

        Raises:
            WireLost: the venue is about to close the connection.
        """
        message = wire.UNSURE.decode(frame.payload)
        if message.event == "notice" and message.code == GOING_AWAY:
            raise WireLost(wire.VENUE, reason=f"notice {message.code}: {message.msg}")
        if message.event in SILENT:
            return self._requests.answered(message.number or "", frame.received_ns)
        if message.event in ("error", "notice", "channel-conn-count-error"):
            return self._refused(frame, message)
        read = self._readers.get(message.arg.channel.encode()) if message.arg and not message.event else None
        if read is not None:
            return read(frame)
        return self._unknown(frame, message)

    def _refused(self, frame: Frame, message: wire.Unsure) -> Iterator[Step]:
        event = refused(frame, message)
        yield event
        if message.code == TOO_FREQUENT:
            yield from self._requests.refused(message.number or "", frame.wire, frame.received_ns)
        else:
            self._give_up(event.channel, event.symbol)
            yield from self._requests.answered(message.number or "", frame.received_ns)

    def _unknown(self, frame: Frame, message: wire.Unsure) -> Iterator[Step]:
        name = message.event or (message.arg.channel if message.arg else "")
        symbol = message.arg.symbol if message.arg else ""
        if name not in self._told:
            self._told.add(name)
            yield FeedEvent(
                wire.VENUE,
                symbol,
                frame.received_ns,
                channel=name,
                kind="schema_change",
                from_ns=frame.received_ns,
                to_ns=frame.received_ns,
                found=name,
                detail=frame.payload.decode()[:EXAMPLE_CHARACTERS],
            )
        origin = Origin(wire.PROGRAM, "", str(frame.received_ns), frame.received_ns, wire.VENUE, symbol)
        yield dead_letter(frame.payload, origin, reason=f"unknown message {name!r}")


def refused(frame: Frame, message: wire.Unsure) -> FeedEvent:
    """Return that the venue said no to one thing, while the rest goes on; an error names its channel in words only."""
    subject = SUBJECT.search(message.msg)
    channel, symbol = subject.groups() if subject else ("subscription", "")
    if message.arg is not None:
        channel, symbol = message.arg.channel, message.arg.symbol
    return refusal(frame, channel, symbol, code=message.code, reason=message.msg)


def refusal(frame: Frame, channel: str, symbol: str, *, code: str, reason: str) -> FeedEvent:
    """Return a refusal."""
    return FeedEvent(
        wire.VENUE,
        symbol,
        frame.received_ns,
        channel=channel,
        kind="refused",
        from_ns=frame.received_ns,
        to_ns=frame.received_ns,
        found=code,
        detail=reason,
    )
