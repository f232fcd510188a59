"""Goldsky: Polymarket's order-filled events as a subgraph endpoint."""

from typing import Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from simulator.faults import Fault, Kind
from simulator.fills import Block, Fill, Fills
from simulator.ledger import Facts
from simulator.limits import Window
from simulator.subgraph import Subgraph
from simulator.venue import Addresses, Shell
from simulator.web import json_response
from simulator.wire import Gone, Wire

NAME = "goldsky"
PATH = "/api/public/project_cl6mb8i9h0003e201j6li0diw/subgraphs/orderbook-subgraph/0.0.1/gn"
STORE_ERROR = {"message": "Store error: database unavailable", "locations": [{"line": 1, "column": 1}]}


class Source(Protocol):
    """Where the events come from."""

    fills: Fills

    def begin(self) -> None:
        """Hear that a client has asked for the first time."""
        ...

    def head(self) -> Block:
        """Return the newest indexed block."""
        ...

    async def live(self) -> None:
        """Let blocks come."""
        ...


class Question(msgspec.Struct):
    """The body of a request."""

    query: str
    variables: dict[str, Any] | None = None


class Goldsky:
    """The subgraph over a source, with what can go wrong."""

    def __init__(self, source: Source, shell: Shell) -> None:
        self._source = source
        self._faults = shell.faults
        self._limits = shell.limits
        self._window = Window(10.0)
        self._subgraph = Subgraph(
            self, most_rows=shell.limits.goldsky_first, block_wait_s=shell.limits.goldsky_block_wait_s
        )
        self._frozen: Block | None = None
        self._served: dict[str, None] = {}
        self._rows = self._requests = 0
        self._changed: dict[str, list[str]] = {"removed": [], "retimed": [], "overwritten": []}

    @property
    def fills(self) -> Fills:
        """Return all events; those after the head are not indexed yet."""
        return self._source.fills

    def routes(self) -> list[BaseRoute]:
        """Return the one endpoint, under every project and version."""
        path = "/api/public/{project}/subgraphs/{subgraph}/{version}/gn"
        return [Route(path, self._handle, methods=["POST"])]

    async def live(self) -> None:
        """Let blocks come."""
        await self._source.live()

    async def talk(self, wire: Wire) -> None:
        """Refuse to talk: the subgraph has no socket."""
        await wire.close(1008)
        raise Gone

    def settings(self, at: Addresses) -> dict[str, str]:
        """Return the fleet's settings."""
        return {"GOLDSKY_URL": at.http + PATH, "GOLDSKY_START_TIMESTAMP": "0"}

    def facts(self, ids: bool) -> Facts:  # noqa: FBT001  (a callback of the ledger, asked by position)
        """Return what is indexed at present, what was served, and what a reorganisation did."""
        until_s = self.head().timestamp
        facts: Facts = {
            "standing": self.fills.totals(until_s),
            "head": self.head()._asdict(),
            "served": len(self._served),
            "served_rows": self._rows,
            "requests": self._requests,
            **self._changed,
        }
        if ids:
            standing = [fill["id"] for fill in self.fills.between(0, until_s)]
            facts |= {"event_ids": standing, "served_ids": list(self._served)}
        return facts

    def head(self) -> Block:
        """Return the newest indexed block; it stands still while that is ordered."""
        if not self._faults.in_force(NAME, "frozen_head"):
            self._frozen = None
            return self._source.head()
        self._frozen = self._frozen or self._source.head()
        return self._frozen

    def has_indexing_errors(self) -> bool:
        """Return whether that is ordered."""
        return self._faults.in_force(NAME, "indexing_errors") is not None

    async def _handle(self, request: Request) -> Response:
        self._requests += 1
        if self._window.add() > self._limits.goldsky_per_10s:
            return Response("Too Many Requests", 429, {"Retry-After": str(int(self._window.frees_in_s()) + 1)})
        try:
            question = msgspec.json.decode(await request.body(), type=Question)
        except msgspec.DecodeError:
            return json_response(b'{"errors":[{"message":"invalid request body"}]}', 400)
        self._source.begin()
        self._reorganise()
        self._note_states()
        if self._faults.strike(NAME, ("graphql_errors",), question.query):
            return json_response(msgspec.json.encode({"errors": [STORE_ERROR]}))
        body = await self._subgraph.answer(question.query, question.variables)
        return json_response(msgspec.json.encode(self._spoiled(body)))

    def _note_states(self) -> None:
        states: tuple[Kind, ...] = ("frozen_head", "indexing_errors")
        for kind in states:
            fault = self._faults.in_force(NAME, kind)
            if fault and all(executed.number != fault.number for executed in self._faults.executed):
                self._faults.note(fault, "")

    def _spoiled(self, body: dict[str, Any]) -> dict[str, Any]:
        rows = (body.get("data") or {}).get("orderFilledEvents")
        if not rows:
            return body
        if self._faults.strike(NAME, ("duplicate_event",), ""):
            rows.insert(1, rows[0])
        if self._faults.strike(NAME, ("partial_data",), ""):
            del rows[len(rows) // 2 :]
            body["errors"] = [STORE_ERROR]
        self._rows += len(rows)
        self._served.update(dict.fromkeys(row["id"] for row in rows if "id" in row))
        return body

    def _reorganise(self) -> None:
        kinds: tuple[Kind, ...] = ("reorg_remove", "reorg_retime", "overwrite")
        while fault := self._faults.strike(NAME, kinds, ""):
            for fill in self.fills.newest(fault.amount, self.head().timestamp):
                self._change(fault, fill)

    def _change(self, fault: Fault, fill: Fill) -> None:
        match fault.kind:
            case "reorg_remove":
                self.fills.remove(fill["id"])
                self._changed["removed"].append(fill["id"])
            case "reorg_retime":
                self.fills.put(fill | {"timestamp": str(int(fill["timestamp"]) + round(fault.delay_s))})
                self._changed["retimed"].append(fill["id"])
            case _:
                doubled = {name: str(2 * int(fill[name])) for name in ("makerAmountFilled", "takerAmountFilled")}
                self.fills.put(fill | doubled)
                self._changed["overwritten"].append(fill["id"])
