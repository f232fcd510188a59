"""The subgraph's GraphQL: its schema, built as graph-node builds one, and the answers to its queries."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from graphql import (
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLScalarType,
    IntValueNode,
    StringValueNode,
    ValueNode,
    build_schema,
    graphql,
)

from common.clock import monotonic_s
from simulator.fill_filters import NUMBERS, TEXTS, matcher, seconds, suffixes
from simulator.fills import Block, Fill, Fills, block_at, end_of_block

DEPLOYMENT = "QmXrCUQC7UFpHLgq5dZPYMSpRn9oPsUmAh4NLDpcHMDFzH"
DEFAULT_FIRST = 100
Info = GraphQLResolveInfo[object]
FIELDS = (*TEXTS, *NUMBERS)
TYPES = {"id": "ID", "transactionHash": "Bytes", "orderHash": "Bytes"} | dict.fromkeys(NUMBERS, "BigInt")


def _type_of(field: str) -> str:
    return TYPES.get(field, "String")


def _filter_fields() -> str:
    lines = []
    for field in FIELDS:
        for suffix in suffixes(field):
            kind = _type_of(field)
            lines.append(f"{field}{suffix}: {f'[{kind}!]' if suffix.endswith('_in') else kind}")
    return "\n".join(lines)


SCHEMA = f"""
scalar BigInt
scalar Bytes
enum OrderDirection {{ asc desc }}
enum OrderFilledEvent_orderBy {{ {" ".join(FIELDS)} }}
enum _SubgraphErrorPolicy_ {{ allow deny }}
input Block_height {{ hash: Bytes number: Int number_gte: Int }}
input OrderFilledEvent_filter {{
  {_filter_fields()}
  and: [OrderFilledEvent_filter]
  or: [OrderFilledEvent_filter]
}}
type OrderFilledEvent {{ {" ".join(f"{field}: {_type_of(field)}!" for field in FIELDS)} }}
type _Block_ {{ hash: Bytes number: Int! timestamp: Int parentHash: Bytes }}
type _Meta_ {{ block: _Block_! deployment: String! hasIndexingErrors: Boolean! }}
type Query {{
  orderFilledEvents(
    skip: Int = 0 first: Int = {DEFAULT_FIRST} orderBy: OrderFilledEvent_orderBy orderDirection: OrderDirection
    where: OrderFilledEvent_filter block: Block_height subgraphError: _SubgraphErrorPolicy_! = deny
  ): [OrderFilledEvent!]!
  orderFilledEvent(id: ID! block: Block_height subgraphError: _SubgraphErrorPolicy_! = deny): OrderFilledEvent
  _meta(block: Block_height): _Meta_
}}
"""


class Chain(Protocol):
    """What the subgraph has indexed at this moment."""

    @property
    def fills(self) -> Fills:
        """Return all events, indexed or not."""
        ...

    def head(self) -> Block:
        """Return the newest indexed block."""
        ...

    def has_indexing_errors(self) -> bool:
        """Return whether the subgraph admits to errors."""
        ...


def _number_from(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise GraphQLError(f"expected a BigInt, found {value!r}")
    try:
        return int(value)
    except ValueError as error:
        raise GraphQLError(f"expected a BigInt, found {value!r}") from error


def _number_literal(node: ValueNode) -> int:
    if isinstance(node, IntValueNode | StringValueNode):
        return _number_from(node.value)
    raise GraphQLError("expected a BigInt")


class Subgraph:
    """Answers queries about a chain."""

    def __init__(self, chain: Chain, *, most_rows: int, block_wait_s: float) -> None:
        self._chain = chain
        self._most_rows = most_rows
        self._block_wait_s = block_wait_s
        self._schema = build_schema(SCHEMA)
        number = self._schema.type_map["BigInt"]
        if isinstance(number, GraphQLScalarType):
            number.coerce_input_value = _number_from
            number.coerce_input_literal = _number_literal
        self._root: dict[str, Callable[..., Awaitable[Any]]] = {
            "orderFilledEvents": self._events,
            "orderFilledEvent": self._event,
            "_meta": self._meta,
        }

    async def answer(self, query: str, variables: dict[str, Any] | None) -> dict[str, Any]:
        """Return the body of the answer: data, errors, or both."""
        result = await graphql(self._schema, query, self._root, variable_values=variables)
        return dict(result.formatted)

    async def _events(self, _info: Info, **asked: Any) -> list[Fill]:  # noqa: ANN401  (GraphQL arguments)
        first, skip = asked["first"], asked["skip"]
        if not 0 <= first <= self._most_rows:
            raise GraphQLError(
                f'The value of the argument "first" must be between 0 and {self._most_rows}, but is {first}'
            )
        until_s = await self._until(asked.get("block"))
        where = asked.get("where") or {}
        start_s, stop_s = seconds(where)
        found = self._chain.fills.select(matcher(where), start_s, min(stop_s, until_s))
        order = asked.get("orderBy") or "id"
        is_descending = asked.get("orderDirection") == "desc"
        if order == "timestamp" and not is_descending:
            return [fill for index, fill in zip(range(skip + first), found, strict=False) if index >= skip]
        rows = sorted(found, key=_sort_key(order), reverse=is_descending)
        return rows[skip : skip + first]

    async def _event(self, _info: Info, **asked: Any) -> Fill | None:  # noqa: ANN401
        until_s = await self._until(asked.get("block"))
        fill = self._chain.fills.get(asked["id"])
        return fill if fill and int(fill["timestamp"]) <= until_s else None

    async def _meta(self, _info: Info, **asked: Any) -> dict[str, Any]:  # noqa: ANN401
        until_s = await self._until(asked.get("block"))
        block = min(self._chain.head(), block_at(until_s))
        return {
            "block": {
                "number": block.number,
                "hash": block.hash,
                "timestamp": block.timestamp,
                "parentHash": Block(block.number - 1, 0).hash,
            },
            "deployment": DEPLOYMENT,
            "hasIndexingErrors": self._chain.has_indexing_errors(),
        }

    async def _until(self, block: dict[str, Any] | None) -> int:
        asked = block or {}
        wanted = asked.get("number", asked.get("number_gte"))
        if wanted is None:
            return self._chain.head().timestamp
        give_up_s = monotonic_s() + (self._block_wait_s if "number_gte" in asked else 0)
        while self._chain.head().number < wanted:
            if monotonic_s() >= give_up_s:
                raise GraphQLError(
                    f"Failed to decode `block.number` value: `subgraph {DEPLOYMENT} has only indexed up to block "
                    f"number {self._chain.head().number} and data for block number {wanted} is therefore not yet "
                    "available`"
                )
            await asyncio.sleep(0.05)
        head = self._chain.head().timestamp
        return min(head, end_of_block(wanted)) if "number" in asked else head


def _sort_key(field: str) -> Callable[[Fill], tuple[int | str, str]]:
    if field in NUMBERS:
        return lambda fill: (int(fill[field]), fill["id"])
    return lambda fill: (fill[field], fill["id"])
