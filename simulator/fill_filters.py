"""The `where` argument of the subgraph: which events match, and in which seconds they can be at all."""

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

from simulator.fills import Fill

Where = dict[str, Any]
Matches = Callable[[Fill], bool]
NUMBERS = ("timestamp", "makerAmountFilled", "takerAmountFilled", "fee")
TEXTS = ("id", "transactionHash", "orderHash", "maker", "taker", "makerAssetId", "takerAssetId")
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "": operator.eq,
    "_not": operator.ne,
    "_gt": operator.gt,
    "_gte": operator.ge,
    "_lt": operator.lt,
    "_lte": operator.le,
    "_in": lambda value, among: value in among,
    "_not_in": lambda value, among: value not in among,
    "_contains": lambda value, part: part in value,
    "_starts_with": str.startswith,
    "_ends_with": str.endswith,
}
TEXT_ONLY = ("_contains", "_starts_with", "_ends_with")
FOREVER = 2**62


class MixedFilter(ValueError):
    """`or` stands beside a column: the subgraph refuses this. What next: the client gets the error."""

    def __str__(self) -> str:
        return "Filter by column and `or` at the same level is not supported"


def suffixes(field: str) -> list[str]:
    """Return the comparisons that exist for a field."""
    return [suffix for suffix in COMPARISONS if field in TEXTS or suffix not in TEXT_ONLY]


def matcher(where: Where) -> Matches:
    """
    Return the predicate of a filter.

    Raises:
        MixedFilter: `or` and a column stand at one level.
    """
    if "or" in where and len(where) > 1:
        raise MixedFilter
    return partial(_all, [_condition(name, value) for name, value in where.items()])


def seconds(where: Where) -> tuple[int, int]:
    """Return the first and last second in which a match can lie; used to look at no more than needed."""
    first, last = 0, FOREVER
    for name, value in where.items():
        low, high = _seconds_of(name, value)
        first, last = max(first, low), min(last, high)
    return first, last


def _seconds_of(name: str, value: Any) -> tuple[int, int]:  # noqa: ANN401  (a GraphQL value)
    match name:
        case "and":
            return seconds_of_all([seconds(part) for part in value])
        case "or" if value:
            spans = [seconds(part) for part in value]
            return min(low for low, _ in spans), max(high for _, high in spans)
        case "timestamp":
            return value, value
        case "timestamp_gt" | "timestamp_gte":
            return value, FOREVER
        case "timestamp_lt" | "timestamp_lte":
            return 0, value
        case _:
            return 0, FOREVER


def seconds_of_all(spans: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the seconds that lie in all spans."""
    return max((low for low, _ in spans), default=0), min((high for _, high in spans), default=FOREVER)


def _condition(name: str, value: Any) -> Matches:  # noqa: ANN401  (a GraphQL value)
    if name == "and":
        return partial(_all, [matcher(part) for part in value])
    if name == "or":
        return partial(_any, [matcher(part) for part in value])
    field, separator, rest = name.partition("_")
    return partial(_compare, field, COMPARISONS[separator + rest], value)


def _all(conditions: list[Matches], fill: Fill) -> bool:
    return all(condition(fill) for condition in conditions)


def _any(conditions: list[Matches], fill: Fill) -> bool:
    return any(condition(fill) for condition in conditions)


def _compare(field: str, compare: Callable[[Any, Any], bool], wanted: Any, fill: Fill) -> bool:  # noqa: ANN401
    value: int | str = int(fill[field]) if field in NUMBERS else fill[field]
    return compare(value, wanted)
