"""One connection to the CLOB's market channel: what it subscribed to, and how its commands are obeyed."""

import asyncio
from typing import NamedTuple

import msgspec

from simulator.connection import Outgoing
from simulator.ledger import Fact
from simulator.wire import Wire


class ClobFrame(NamedTuple):
    """One message; no tokens: everybody gets it who asked for the newer kinds."""

    kind: str
    tokens: tuple[str, ...]
    payload: bytes
    facts: tuple[Fact, ...]
    is_custom: bool = False

    @property
    def outgoing(self) -> Outgoing:
        """Return it for the wire; faults are matched with `kind:token,token`."""
        return Outgoing(f"{self.kind}:{','.join(self.tokens)}", self.payload, self.facts)


class Command(msgspec.Struct):
    """What a client may say besides PING; one without an operation is the first of a connection."""

    assets_ids: list[str] = []
    type: str = ""
    operation: str = ""
    custom_feature_enabled: bool = False


class Listener:
    """One connection and its tokens; `fresh` are those that still get their first book."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.tokens: dict[str, None] = {}
        self.fresh: list[str] = []
        self.is_custom = False
        self.changed = asyncio.Event()

    def obey(self, text: str | bytes) -> bool:
        """Carry out a command; return whether it was one."""
        try:
            command = msgspec.json.decode(text, type=Command)
        except msgspec.DecodeError:
            return False
        if command.operation == "unsubscribe":
            for token in command.assets_ids:
                self.tokens.pop(token, None)
        elif command.operation == "subscribe" or command.type.lower() == "market":
            self.fresh += [token for token in command.assets_ids if token not in self.tokens]
            self.tokens.update(dict.fromkeys(command.assets_ids))
            self.is_custom = self.is_custom or command.custom_feature_enabled
        else:
            return False
        self.changed.set()
        return True

    def wants(self, frame: ClobFrame) -> bool:
        """Return whether a message is for this connection."""
        if frame.is_custom and not self.is_custom:
            return False
        return not frame.tokens or any(token in self.tokens for token in frame.tokens)
