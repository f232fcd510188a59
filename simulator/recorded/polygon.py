"""Polygon from recordings: the logs and headers of all recorded answers, as one chain."""

from contextlib import suppress
from typing import Any

import msgspec

from simulator.chain import Chain, ChainBlock, Log
from simulator.venue import UNREADABLE, Session

OK = 200
CONFIRMED_BY = 32  # blocks put on top of the last recorded one, so that its fills are believed


class Recording:
    """The blocks from the first to the last that any answer speaks of; those not recorded are empty."""

    def __init__(self, session: Session) -> None:
        self._logs: dict[int, dict[str, Log]] = {}
        self._headers: dict[int, dict[str, Any]] = {}
        for recorded in session.events:
            if recorded.event.direction == "in" and recorded.event.status == OK:
                for reply in _replies(recorded.event.body()):
                    with suppress(*UNREADABLE):  # an answer that is none leads to nothing
                        self._take(reply.get("result"))
        numbers = sorted(self._logs.keys() | self._headers.keys()) or [0]
        self.first_block = numbers[0]
        self.chain = Chain(self.first_block)
        second = 0
        for number in range(numbers[0], numbers[-1] + CONFIRMED_BY + 1):
            second = self._second(number, second)
            self.chain.put(self._block(number, second))

    async def live(self) -> None:
        """Do nothing: a recording needs no life of its own."""

    def _take(self, result: Any) -> None:  # noqa: ANN401  (whatever was recorded)
        for part in result if isinstance(result, list) else [result]:
            if not isinstance(part, dict):
                continue
            if "topics" in part:
                self._logs.setdefault(int(part["blockNumber"], 16), {})[part["logIndex"]] = part
            elif "timestamp" in part:
                self._headers[int(part["number"], 16)] = part

    def _second(self, number: int, before: int) -> int:
        header = self._headers.get(number)
        return int(header["timestamp"], 16) if header else before

    def _block(self, number: int, second: int) -> ChainBlock:
        logs = sorted(self._logs.get(number, {}).values(), key=lambda log: int(log["logIndex"], 16))
        named = [log["blockHash"] for log in logs]
        header = self._headers.get(number)
        name = header["hash"] if header else next(iter(named), f"0x{number:064x}")
        return ChainBlock(number, name, "0x", second, (), tuple(log for log in logs if log["blockHash"] == name))


def _replies(body: bytes) -> list[dict[str, Any]]:
    """Return the replies in an answer; none of one that is none."""
    try:
        replies = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return []
    return [reply for reply in (replies if isinstance(replies, list) else [replies]) if isinstance(reply, dict)]
