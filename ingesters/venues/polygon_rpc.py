"""
JSON-RPC with an Ethereum node: calls in one request where it takes batches, else one after the other.

Answers are matched by number, for a batch may come back in any order, and an old answer must pass for no new one.
https://www.jsonrpc.org/specification
"""

import re
from typing import NamedTuple

import msgspec

from common.errors import BadAnswer, FeedRefused
from ingesters.feed import Fetch, Frame

VENUE = "polygon"
CALLS_A_REQUEST = 100
BATCHES_TRIED = 3  # in a row, before an endpoint is believed to take none
OK = 200
NO_ENTRY = (401, 402, 403)
# What an endpoint may say instead of an error in JSON: read like one. The loop would repeat the address in its words,
# and that may hold a key; and a 504 is the way of some to say that the range is too large.
ACCEPTED = (400, *NO_ENTRY, 404, 405, 410, 413, 414, 422, 451, 504)
NULL = msgspec.Raw(b"null")
SAID_CHARACTERS = 200

# Wordings of public endpoints for "not now": anything else that speaks of a limit is about the range.
LATER = re.compile(
    r"\brate\b|too many requests|per second|per minute|compute unit|capacity|quota|throttl|busy|overload|try again"
    r"|header not found|unknown block|beyond current head|not yet|missing trie|syncing",
    re.IGNORECASE,
)
HTTP_SLOW_DOWN = 429


class Call(NamedTuple):
    """A method and its parameters."""

    method: str
    params: tuple[object, ...] = ()


class Trouble(msgspec.Struct, frozen=True):
    """The error in place of a result."""

    code: int = 0
    message: str = ""

    @property
    def is_about_now(self) -> bool:
        """Return whether the same question may be answered later; else it must be another one."""
        return self.code == HTTP_SLOW_DOWN or LATER.search(self.message) is not None

    def __str__(self) -> str:
        return f"{self.code} {self.message[:SAID_CHARACTERS]}"


class _Reply(msgspec.Struct):
    id: int | None = None
    result: msgspec.Raw = NULL
    error: Trouble | None = None


_REPLIES: msgspec.json.Decoder[_Reply | list[_Reply]] = msgspec.json.Decoder(_Reply | list[_Reply])
Result = msgspec.Raw | Trouble


class Rpc:
    """One endpoint, asked one thing at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._refused = 0  # batches in a row
        self._one_by_one = False
        self._number = 0
        self._key = ""
        self._waiting: list[Call] = []
        self._asked: dict[int, Call] = {}
        self._results: list[Result] = []

    def ask(self, key: str, *calls: Call, after_s: float = 0.0) -> Fetch:
        """Return the question for the results of some calls."""
        self._key, self._waiting, self._results = key, list(calls), []
        self._one_by_one = self._refused >= BATCHES_TRIED
        return self._next(after_s)

    def hear(self, frame: Frame) -> list[Result] | Fetch:
        """
        Return the results in the order of the calls, or the next question on the way to them.

        Raises:
            BadAnswer: it is no answer; the same is asked again.
            FeedRefused: the endpoint does not let us in.
        """
        if frame.status in NO_ENTRY:
            raise FeedRefused(VENUE, reason=f"the endpoint answered HTTP {frame.status}: {_excerpt(frame.payload)}")
        replies = self._replies(frame)
        if isinstance(replies, Trouble):
            if len(self._asked) == 1:
                replies = [_Reply(id=next(iter(self._asked)), error=replies)]
            elif replies.is_about_now:
                raise BadAnswer(VENUE, reason=str(replies))
            else:  # it takes no batches, or what one of the calls asks for is too much
                self._refused += 1
                self._one_by_one = True
                self._waiting = [*self._asked.values(), *self._waiting]
                return self._next()
        elif len(self._asked) > 1:
            self._refused = 0
        results = self._results + self._in_order(replies)
        if not self._waiting:
            return results
        self._results = results
        return self._next()

    def _in_order(self, replies: list[_Reply]) -> list[Result]:
        by_number = {reply.id: reply for reply in replies}
        if by_number.keys() != self._asked.keys():
            raise BadAnswer(VENUE, reason=f"expected answers {list(self._asked)}, found {list(by_number)}")
        for reply in replies:
            if reply.error is not None and reply.error.is_about_now:
                raise BadAnswer(VENUE, reason=str(reply.error))
        return [by_number[number].error or by_number[number].result for number in self._asked]

    def _replies(self, frame: Frame) -> list[_Reply] | Trouble:
        try:
            replies = _REPLIES.decode(frame.payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            if frame.status == OK:
                raise BadAnswer(VENUE, reason=f"{error}, found {_excerpt(frame.payload)!r}") from error
            return Trouble(frame.status, _excerpt(frame.payload))
        if isinstance(replies, list):
            return replies
        if replies.error is not None and replies.id not in self._asked:
            return replies.error
        if frame.status != OK and replies.error is None:
            return Trouble(frame.status, _excerpt(frame.payload))
        return [replies]

    def _next(self, after_s: float = 0.0) -> Fetch:
        most = 1 if self._one_by_one else CALLS_A_REQUEST
        now, self._waiting = self._waiting[:most], self._waiting[most:]
        self._asked = dict(enumerate(now, start=self._number))
        self._number += len(now)
        worded = [
            {"jsonrpc": "2.0", "id": number, "method": call.method, "params": call.params}
            for number, call in self._asked.items()
        ]
        body = msgspec.json.encode(worded if len(worded) > 1 else worded[0])
        return Fetch(self._key, self._url, body, after_s=after_s, weight=len(now), accept=ACCEPTED)


def _excerpt(payload: bytes) -> str:
    return payload[:SAID_CHARACTERS].decode(errors="replace")
