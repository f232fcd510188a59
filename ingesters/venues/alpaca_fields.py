"""Which fields and types of message are known, and what happens to those that are not."""

from collections.abc import Iterator
from typing import get_args

import msgspec

from common.codec import Origin, dead_letter
from common.records import FeedEvent
from ingesters.feed import Step
from ingesters.venues.alpaca_codec import Codec
from ingesters.venues.alpaca_wire import VENUE, Message
from ingesters.venues.novelty import Novelty

MESSAGES_A_LOOK = 5_000  # after so many, the next message of each type is looked at again
EXAMPLE_CHARACTERS = 500
_MORE = {"subscription": ("corrections", "cancelErrors", "news")}  # known, and not used


def _names(kind: type[Message]) -> tuple[str, frozenset[str]]:
    tag = str(kind.__struct_config__.tag)
    fields = (field.encode_name for field in msgspec.structs.fields(kind))
    return tag, frozenset(("T", *fields, *_MORE.get(tag, ())))


KNOWN = dict(_names(kind) for kind in get_args(Message))
TAGS = {kind: str(kind.__struct_config__.tag) for kind in get_args(Message)}


class Watch:
    """Looks at one message of each type now and then; the others cost nothing."""

    def __init__(self) -> None:
        self._novelty = Novelty(VENUE, KNOWN)
        self._looked: set[type[Message]] = set()
        self._seen = 0
        self._told: set[str] = set()

    def look(self, messages: list[Message], payload: bytes, codec: Codec, received_ns: int) -> Iterator[FeedEvent]:
        """Yield what is new in a frame."""
        self._seen += len(messages)
        if self._seen > MESSAGES_A_LOOK:
            self._seen = 0
            self._looked.clear()
        new = {type(message): index for index, message in enumerate(messages) if type(message) not in self._looked}
        if new:
            parts = codec.parts(payload)
            for kind, index in new.items():
                self._looked.add(kind)
                names = codec.fields(parts[index]).keys()
                yield from self._novelty.notice(TAGS[kind], names, bytes(parts[index]), received_ns)

    def unreadable(self, part: msgspec.Raw, codec: Codec, reason: str, origin: Origin) -> Iterator[Step]:
        """Set one message of a frame aside, whole; an unknown type is told once as well."""
        payload, received_ns = bytes(part), origin.received_ns
        name = _type_of(part, codec)
        if name and name not in KNOWN:
            reason = f"unknown message type {name!r}"
            if name not in self._told:
                self._told.add(name)
                yield FeedEvent(
                    venue=VENUE,
                    symbol="",
                    received_ns=received_ns,
                    channel=name,
                    kind="schema_change",
                    from_ns=received_ns,
                    to_ns=received_ns,
                    found=name,
                    detail=payload.decode(errors="replace")[:EXAMPLE_CHARACTERS],
                )
        yield dead_letter(payload, origin, reason=reason)


def _type_of(part: msgspec.Raw, codec: Codec) -> str:
    try:
        return codec.word(codec.fields(part)["T"])
    except (msgspec.MsgspecError, KeyError):
        return ""
