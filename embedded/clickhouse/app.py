"""The HTTP face: addresses, authentication, and an answer to whatever goes wrong."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final

from common import log
from embedded.clickhouse.body import Body, ClientGone, Receive
from embedded.clickhouse.decoding import decoder_for
from embedded.clickhouse.desk import Desk
from embedded.clickhouse.encoding import accepted
from embedded.clickhouse.errors import NOT_IMPLEMENTED, STD_EXCEPTION, ClickHouseError
from embedded.clickhouse.query import Query
from embedded.clickhouse.reply import Reply, Send
from embedded.clickhouse.request import Request, address_params, new_query_id
from embedded.clickhouse.users import User, authenticate

_log = log.logger("clickhouse")

_ALIVE: Final = b"Ok.\n"
_NO_SUCH_PLACE: Final = (
    "There is no handle {path}\n\nUse / or /ping for health checks.\n"
    "Send queries from your program with POST method or GET /?query=...\n"
)
_NO_BLOCKS: Final = "compress=1 and decompress=1 are not supported: set enable_http_compression=1, or compress=0"
_NOT_FROM_HERE: Final = b"Pages of other sites may not send queries.\n"


class Face:
    """The ASGI application."""

    def __init__(self, desk: Desk, users: Callable[[], Mapping[str, User]]) -> None:
        self._desk = desk
        self._users = users

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        headers = {name.decode("latin-1"): value.decode("utf-8", "surrogateescape") for name, value in scope["headers"]}
        params = address_params(scope["query_string"])
        encoding = (
            accepted(headers.get("accept-encoding", ""))
            if params.get("enable_http_compression") in ("1", "true")
            else ""
        )
        reply = Reply(send, encoding, self._desk.engine.version)
        reply.headers["X-ClickHouse-Server-Display-Name"] = self._desk.engine.display_name
        path, method = scope["path"], scope["method"]
        if path in ("/ping", "/replicas_status") or (
            path == "/" and method in ("GET", "HEAD") and "query" not in params
        ):
            reply.text(200, _ALIVE)
        elif _is_foreign(headers):
            reply.text(403, _NOT_FROM_HERE)
        elif path.rstrip("/") in ("", "/query"):
            await self._query(Request(method, headers, params, User("", ""), ""), receive, reply)
        else:
            reply.text(404, _NO_SUCH_PLACE.format(path=path).encode("utf-8", "surrogateescape"))
        await reply.finish()

    async def _query(self, request: Request, receive: Receive, reply: Reply) -> None:
        try:
            await self._answer(request, receive, reply)
        except ClickHouseError as error:
            reply.error(error)
        except ClientGone:
            _log.info("clickhouse.client_gone", query_id=reply.headers.get("X-ClickHouse-Query-Id"))
        except Exception as error:  # noqa: BLE001  (one request's bug must not look like a crash to all the others)
            _log.exception("clickhouse.request_failed", query_id=reply.headers.get("X-ClickHouse-Query-Id"))
            reply.error(ClickHouseError(STD_EXCEPTION, f"{type(error).__name__}: {error}"))

    async def _answer(self, request: Request, receive: Receive, reply: Reply) -> None:
        query_id = new_query_id(request.params, request.headers)
        reply.headers["X-ClickHouse-Query-Id"] = query_id
        reply.headers["X-ClickHouse-Timezone"] = self._desk.engine.timezone
        if request.flag("compress") or request.flag("decompress"):
            raise ClickHouseError(NOT_IMPLEMENTED, _NO_BLOCKS)
        user = authenticate(self._users(), request.headers, request.params)
        decoder = decoder_for(request.headers.get("content-encoding", "").lower())
        running = self._desk.registry.begin(query_id, user.name)
        running.text = request.params.get("query", "")
        try:
            query = Query(self._desk, running, reply, receive)
            await query.answer(request._replace(user=user, query_id=query_id), Body(receive, decoder, running))
        except ClickHouseError as error:
            running.error = error
            raise
        finally:
            self._desk.registry.end(running)


def _is_foreign(headers: Mapping[str, str]) -> bool:
    """Return whether a browser sends this for another site's page: on a loopback without passwords, any page could."""
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host", "")
