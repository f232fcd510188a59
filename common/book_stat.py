"""What a book says at an instant, in numbers: the record, and the distances and amounts that its names are made of."""

from typing import Literal

from common.records import Record

IMBALANCE_LEVELS = (1, 5, 10, 20)
BANDS_BPS = (1, 2, 5, 10, 25, 50, 100, 200, 500)
NOTIONALS = {"1k": 1e3, "5k": 5e3, "10k": 1e4, "50k": 5e4, "100k": 1e5, "500k": 5e5, "1m": 1e6}
REACHES_BPS = (10, 25, 50)
FLOW_LEVELS = (1, 2, 3, 4, 5)


class BookStat(Record, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """
    One book at one instant; None is what the book cannot answer. Each formula is in docs/analytics.md.

    `event_ns` is the instant: it covers what happened before it. `source` is `maintained` for the book that is kept
    from the venue's messages, `rest` for one that was asked for whole; the latter has no flow and no `updates`.
    """

    event_ns: int
    source: Literal["maintained", "rest"]
    sequence: int | None = None
    updates: int | None = None
    late_updates: int | None = None
    age_ms: float | None = None
    is_crossed: bool | None = None
    is_locked: bool | None = None
    levels: int
    bid_levels: int
    ask_levels: int
    bid_covered_bps: float | None = None
    ask_covered_bps: float | None = None
    best_bid: str | None = None
    best_bid_size: str | None = None
    best_ask: str | None = None
    best_ask_size: str | None = None
    mid: float | None = None
    spread: float | None = None
    spread_bps: float | None = None
    microprice: float | None = None
    weighted_mid: float | None = None
    vamp_5: float | None = None
    vamp_20: float | None = None
    imbalance_1: float | None = None
    imbalance_5: float | None = None
    imbalance_10: float | None = None
    imbalance_20: float | None = None
    imbalance_1bps: float | None = None
    imbalance_2bps: float | None = None
    imbalance_5bps: float | None = None
    imbalance_10bps: float | None = None
    imbalance_25bps: float | None = None
    imbalance_50bps: float | None = None
    imbalance_100bps: float | None = None
    imbalance_200bps: float | None = None
    imbalance_500bps: float | None = None
    distance_imbalance: float | None = None
    bid_depth_1bps: float | None = None
    bid_depth_2bps: float | None = None
    bid_depth_5bps: float | None = None
    bid_depth_10bps: float | None = None
    bid_depth_25bps: float | None = None
    bid_depth_50bps: float | None = None
    bid_depth_100bps: float | None = None
    bid_depth_200bps: float | None = None
    bid_depth_500bps: float | None = None
    ask_depth_1bps: float | None = None
    ask_depth_2bps: float | None = None
    ask_depth_5bps: float | None = None
    ask_depth_10bps: float | None = None
    ask_depth_25bps: float | None = None
    ask_depth_50bps: float | None = None
    ask_depth_100bps: float | None = None
    ask_depth_200bps: float | None = None
    ask_depth_500bps: float | None = None
    bid_notional_1bps: float | None = None
    bid_notional_2bps: float | None = None
    bid_notional_5bps: float | None = None
    bid_notional_10bps: float | None = None
    bid_notional_25bps: float | None = None
    bid_notional_50bps: float | None = None
    bid_notional_100bps: float | None = None
    bid_notional_200bps: float | None = None
    bid_notional_500bps: float | None = None
    ask_notional_1bps: float | None = None
    ask_notional_2bps: float | None = None
    ask_notional_5bps: float | None = None
    ask_notional_10bps: float | None = None
    ask_notional_25bps: float | None = None
    ask_notional_50bps: float | None = None
    ask_notional_100bps: float | None = None
    ask_notional_200bps: float | None = None
    ask_notional_500bps: float | None = None
    buy_cost_1k_bps: float | None = None
    buy_cost_5k_bps: float | None = None
    buy_cost_10k_bps: float | None = None
    buy_cost_50k_bps: float | None = None
    buy_cost_100k_bps: float | None = None
    buy_cost_500k_bps: float | None = None
    buy_cost_1m_bps: float | None = None
    sell_cost_1k_bps: float | None = None
    sell_cost_5k_bps: float | None = None
    sell_cost_10k_bps: float | None = None
    sell_cost_50k_bps: float | None = None
    sell_cost_100k_bps: float | None = None
    sell_cost_500k_bps: float | None = None
    sell_cost_1m_bps: float | None = None
    buy_reach_10bps: float | None = None
    buy_reach_25bps: float | None = None
    buy_reach_50bps: float | None = None
    sell_reach_10bps: float | None = None
    sell_reach_25bps: float | None = None
    sell_reach_50bps: float | None = None
    bid_slope: float | None = None
    ask_slope: float | None = None
    slope: float | None = None
    quote_slope: float | None = None
    log_quote_slope: float | None = None
    bid_hhi: float | None = None
    ask_hhi: float | None = None
    bid_share_5: float | None = None
    ask_share_5: float | None = None
    bid_hole_bps: float | None = None
    ask_hole_bps: float | None = None
    bid_walls: int | None = None
    bid_wall_price: float | None = None
    bid_wall_size: float | None = None
    ask_walls: int | None = None
    ask_wall_price: float | None = None
    ask_wall_size: float | None = None
    bid_orders: int | None = None
    ask_orders: int | None = None
    bid_order_size: float | None = None
    ask_order_size: float | None = None
    ofi_1: float | None = None
    ofi_2: float | None = None
    ofi_3: float | None = None
    ofi_4: float | None = None
    ofi_5: float | None = None
    ofi_kind: str | None = None
    bid_covered_1bps: bool | None = None
    bid_covered_2bps: bool | None = None
    bid_covered_5bps: bool | None = None
    bid_covered_10bps: bool | None = None
    bid_covered_25bps: bool | None = None
    bid_covered_50bps: bool | None = None
    bid_covered_100bps: bool | None = None
    bid_covered_200bps: bool | None = None
    bid_covered_500bps: bool | None = None
    ask_covered_1bps: bool | None = None
    ask_covered_2bps: bool | None = None
    ask_covered_5bps: bool | None = None
    ask_covered_10bps: bool | None = None
    ask_covered_25bps: bool | None = None
    ask_covered_50bps: bool | None = None
    ask_covered_100bps: bool | None = None
    ask_covered_200bps: bool | None = None
    ask_covered_500bps: bool | None = None
    bid_known_depth: float | None = None
    bid_known_notional: float | None = None
    ask_known_depth: float | None = None
    ask_known_notional: float | None = None
    bid_wall_age_ms: float | None = None
    bid_wall_gone: float | None = None
    bid_wall_end: str | None = None
    bid_removed_rate: float | None = None
    bid_depletion_s: float | None = None
    bid_resilience: float | None = None
    bid_half_life_s: float | None = None
    ask_wall_age_ms: float | None = None
    ask_wall_gone: float | None = None
    ask_wall_end: str | None = None
    ask_removed_rate: float | None = None
    ask_depletion_s: float | None = None
    ask_resilience: float | None = None
    ask_half_life_s: float | None = None
    spread_resilience: float | None = None
    spread_half_life_s: float | None = None
    bid_walls_size: float | None = None
    bid_largest_wall_price: float | None = None
    bid_largest_wall_size: float | None = None
    bid_oldest_wall_age_ms: float | None = None
    bid_walls_pulled: float | None = None
    bid_walls_eaten: float | None = None
    ask_walls_size: float | None = None
    ask_largest_wall_price: float | None = None
    ask_largest_wall_size: float | None = None
    ask_oldest_wall_age_ms: float | None = None
    ask_walls_pulled: float | None = None
    ask_walls_eaten: float | None = None
