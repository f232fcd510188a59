"""One HTTP reply: whole when it is small or must be certain, streamed when it is large, honest when it breaks."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from embedded.clickhouse.encoding import Encoder, encoder_for
from embedded.clickhouse.errors import ClickHouseError
from embedded.clickhouse.handle import Outcome

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_OK: Final = 200
_THREADED_BYTES: Final = 1 << 16


class Reply:
    """
    The reply to one request; `headers` may grow until it begins.

    What completes it is kept back until `finish`: the client's next request, sent on reading it, must find the
    session unlocked and the query gone from the list.
    """

    def __init__(self, send: Send, encoding: str, version: str) -> None:
        self._send = send
        self._encoding = encoding
        self._version = version
        self._tag = secrets.token_hex(8)
        self._encoder: Encoder = encoder_for("")
        self.headers: dict[str, str] = {}
        self.begun = False
        self._last: list[MutableMapping[str, Any]] = []

    @property
    def is_compressed(self) -> bool:
        """Return whether the client gets the body compressed."""
        return bool(self._encoding)

    def whole(self, body: bytes, outcome: Outcome) -> None:
        """Reply with a complete result."""
        self.headers["X-ClickHouse-Summary"] = summary(outcome)
        self.text(_OK, self._encoded(body))

    def error(self, error: ClickHouseError) -> None:
        """Reply with an error: as the reply, or as the end of one that has begun."""
        text = f"{error} (version {self._version})\n".encode("utf-8", "surrogateescape")
        if self.begun:
            self._broken(text)
            return
        self.headers["X-ClickHouse-Exception-Code"] = str(error.code)
        self.headers["Content-Type"] = "text/plain; charset=UTF-8"
        self.headers.pop("Content-Encoding", None)
        self.text(error.status, text)

    def text(self, status: int, body: bytes) -> None:
        """Reply with a status and a body as they are."""
        self.headers["Content-Length"] = str(len(body))
        self._last = [self._start(status), {"type": "http.response.body", "body": body}]

    async def begin(self) -> None:
        """Begin a body whose end, good or bad, is not known yet."""
        self.headers["X-ClickHouse-Exception-Tag"] = self._tag
        if self._encoding:
            self.headers["Content-Encoding"] = self._encoding
        self._encoder = encoder_for(self._encoding)
        self.begun = True
        await self._send(self._start(_OK))

    async def piece(self, data: bytes) -> None:
        """Send a piece of the body; waits while the client reads slower than we send."""
        # Compressing a large piece takes milliseconds, for which the other requests need not wait.
        threaded = self.is_compressed and len(data) > _THREADED_BYTES
        body = await asyncio.to_thread(self._encoder.feed, data) if threaded else self._encoder.feed(data)
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    def end(self) -> None:
        """Complete the body."""
        self._last = [{"type": "http.response.body", "body": self._encoder.finish()}]

    async def finish(self) -> None:
        """Send what completes the reply."""
        for message in self._last:
            await self._send(message)

    def _broken(self, text: bytes) -> None:
        # Clients that know the tag find the error between the markers. The missing last chunk, for which the
        # connection is closed when the request returns, tells the others that the body is not whole.
        tag = self._tag.encode()
        block = b"\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n" % (tag, text, len(text) - 1, tag)
        closing = self._encoder.feed(block) + self._encoder.finish()
        self._last = [{"type": "http.response.body", "body": closing, "more_body": True}]

    def _start(self, status: int) -> MutableMapping[str, Any]:
        headers = [(name.encode(), value.encode("utf-8", "replace")) for name, value in self.headers.items()]
        return {"type": "http.response.start", "status": status, "headers": headers}

    def _encoded(self, body: bytes) -> bytes:
        if not self._encoding or not body:
            return body
        self.headers["Content-Encoding"] = self._encoding
        encoder = encoder_for(self._encoding)
        return encoder.feed(body) + encoder.finish()


def summary(outcome: Outcome) -> str:
    """Return the figures of a query as the summary header words them."""
    return json.dumps(
        {
            "read_rows": str(outcome.read_rows),
            "read_bytes": str(outcome.read_bytes),
            "written_rows": str(outcome.written_rows),
            "written_bytes": str(outcome.written_bytes),
            "total_rows_to_read": "0",
            "result_rows": str(outcome.result_rows or outcome.written_rows),
            "result_bytes": str(outcome.written_bytes),
            "elapsed_ns": str(outcome.elapsed_ns),
        },
        separators=(",", ":"),
    )
