"""Polygon: a node's JSON-RPC endpoint over a chain of Polymarket's fills."""

from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from simulator.chain import Chain
from simulator.faults import Fault
from simulator.fills import Fills
from simulator.ledger import Facts
from simulator.node import Node, View, failure
from simulator.venue import Addresses, Shell
from simulator.web import json_response
from simulator.wire import Gone, Wire

NAME = "polygon"
PATH = "/v2/demo"
SERVER_ERROR = -32000


class Source(Protocol):
    """Where the blocks come from."""

    chain: Chain
    first_block: int

    async def live(self) -> None:
        """Let blocks come."""
        ...


class Polygon:
    """The endpoint, with what can go wrong."""

    def __init__(self, source: Source, shell: Shell) -> None:
        self._source = source
        self._faults = shell.faults
        self._node = Node(source.chain)
        self._requests = 0
        self._vanished: list[str] = []

    def routes(self) -> list[BaseRoute]:
        """Return the one endpoint, whatever key is in its path."""
        return [Route("/{key:path}", self._handle, methods=["POST"])]

    async def live(self) -> None:
        """Let blocks come."""
        await self._source.live()

    async def talk(self, wire: Wire) -> None:
        """Refuse to talk: this endpoint has no socket."""
        await wire.close(1008)
        raise Gone

    def settings(self, at: Addresses) -> dict[str, str]:
        """Return the fleet's settings."""
        return {"POLYGON_RPC_URL": at.http + PATH, "POLYGON_START_BLOCK": str(self._source.first_block)}

    def facts(self, ids: bool) -> Facts:  # noqa: FBT001  (a callback of the ledger, asked by position)
        """Return what is on the chain, and what a reorganisation took away."""
        chain = self._source.chain
        fills = [fill | {"id": f"{fill['transactionHash']}_{fill['orderHash']}"} for fill in chain.fills(chain.head)]
        facts: Facts = {
            "standing": Fills(fills).totals(2**62),
            "head": chain.head,
            "requests": self._requests,
            "vanished": self._vanished,
        }
        if ids:
            facts["event_ids"] = [fill["id"] for fill in fills]
        return facts

    async def _handle(self, request: Request) -> Response:
        self._requests += 1
        body = await request.body()
        while fault := self._faults.strike(NAME, ("reorg_remove", "reorg_retime"), ""):
            self._reorganise(fault)
        subject = body.decode(errors="replace")
        if fault := self._faults.strike(NAME, ("rpc_errors",), subject):
            return json_response(failure(SERVER_ERROR, fault.body or "request timed out, try again later"))
        return json_response(self._node.answer(body, self._view(subject)))

    def _view(self, subject: str) -> View:
        lag = self._faults.strike(NAME, ("lagging_node",), subject)
        limit = self._faults.in_force(NAME, "range_limit")
        return View(behind=lag.amount if lag else 0, most_blocks=limit.amount if limit else View.most_blocks)

    def _reorganise(self, fault: Fault) -> None:
        """Replace the newest blocks: by empty ones, or by the same in another order."""
        chain = self._source.chain
        blocks = chain.drop(fault.amount)
        if fault.kind == "reorg_remove":
            self._vanished += [
                f"{fill['transactionHash']}_{fill['orderHash']}"
                for block in blocks
                for transaction in block.transactions
                for fill in transaction
            ]
        for block, other in zip(blocks, reversed(blocks), strict=True):
            chain.mine(() if fault.kind == "reorg_remove" else other.transactions, block.timestamp)
