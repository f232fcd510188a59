-- The tables that streams fill, the views over them, and the bars that grow with every insert of trades.

CREATE TABLE IF NOT EXISTS market_versions
(
    venue LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'venue, lower case',
    market_id String CODEC(ZSTD(1)) COMMENT 'Gamma\'s id',
    condition_id String CODEC(ZSTD(1)) COMMENT 'id of the condition on chain',
    question String CODEC(ZSTD(1)) COMMENT 'what is bet on',
    slug String CODEC(ZSTD(1)) COMMENT 'name in the address',
    outcomes Array(String) CODEC(ZSTD(1)) COMMENT 'names of the outcomes, in the order of token_ids',
    token_ids Array(String) CODEC(ZSTD(1)) COMMENT 'outcome tokens (asset ids), 78-digit numbers as text',
    neg_risk Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'settles on the neg-risk exchange',
    neg_risk_market_id String CODEC(ZSTD(1)) COMMENT 'the question of which exactly one outcome comes true, empty if it is none',
    event_id String CODEC(ZSTD(1)) COMMENT 'Gamma\'s event that it stands in, empty if it is in none',
    active Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'as Gamma tells it',
    closed Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'as Gamma tells it',
    created_time Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)) COMMENT 'when Gamma created it',
    end_time Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)) COMMENT 'when it is to end',
    closed_time Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)) COMMENT 'when it closed',
    volume Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'traded so far, USDC, null where Gamma has no figure',
    liquidity Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'USDC in the book, null where Gamma has no figure',
    updated_time Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)) COMMENT 'Gamma\'s last change, null if not told',
    received_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the bytes reached us',
    shard UInt16 CODEC(ZSTD(1)) COMMENT 'shard of the stream that held the record',
    offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'running number of the record in its shard: dense, so a hole is visible',
    INDEX place offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(offset)
PARTITION BY tuple()
ORDER BY market_id
SETTINGS non_replicated_deduplication_window = 10000,
         fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'Every version of a Polymarket market that was seen; read `markets` for the newest.';

CREATE TABLE IF NOT EXISTS order_events
(
    venue LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'venue, lower case',
    symbol String CODEC(ZSTD(1)) COMMENT 'outcome token, empty where the event does not tell one',
    event_id String CODEC(ZSTD(1)) COMMENT 'transaction hash and order hash',
    event_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the venue says it happened',
    received_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the bytes reached us',
    transaction_hash String CODEC(ZSTD(1)) COMMENT 'transaction on Polygon',
    order_hash String CODEC(ZSTD(1)) COMMENT 'the order that was filled: its CLOB order id',
    maker String CODEC(ZSTD(1)) COMMENT 'owner of the filled order',
    taker String CODEC(ZSTD(1)) COMMENT 'the other side, or the exchange contract for the taker\'s own order',
    maker_asset_id String CODEC(ZSTD(1)) COMMENT 'what the maker gave: 0 is collateral, else an outcome token',
    taker_asset_id String CODEC(ZSTD(1)) COMMENT 'what the maker got',
    maker_amount Decimal(38, 0) CODEC(ZSTD(1)) COMMENT 'given by the maker, millionths',
    taker_amount Decimal(38, 0) CODEC(ZSTD(1)) COMMENT 'got by the maker, millionths',
    fee Decimal(38, 0) CODEC(ZSTD(1)) COMMENT 'millionths of what the maker got; the exchange may refund it later',
    role LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'maker_fill, or taker_order: never add the two',
    source LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'subgraph or chain',
    shard UInt16 CODEC(ZSTD(1)) COMMENT 'shard of the stream that held the record',
    offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'running number of the record in its shard: dense, so a hole is visible',
    INDEX place offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (event_time, event_id)
SETTINGS non_replicated_deduplication_window = 10000,
         fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'OrderFilled events of the Polymarket exchanges, one row each.';

CREATE TABLE IF NOT EXISTS trades
(
    venue LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'venue, lower case',
    symbol LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the venue\'s own spelling',
    trade_id String CODEC(ZSTD(1)) COMMENT 'the venue\'s id',
    event_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the venue says it happened',
    received_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the bytes reached us',
    price Decimal(38, 18) CODEC(ZSTD(1)) COMMENT 'quote currency',
    size Decimal(38, 18) CODEC(ZSTD(1)) COMMENT 'base currency',
    notional Decimal(38, 18) CODEC(ZSTD(1)) COMMENT 'price x size, quote currency',
    taker_side LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'buy, sell or unknown',
    source LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'live, backfill or derived',
    sequence Nullable(UInt64) CODEC(DoubleDelta, ZSTD(1)) COMMENT 'the venue\'s running number, null if it has none',
    market_id String CODEC(ZSTD(1)) COMMENT 'Polymarket\'s market, empty elsewhere and until it is known',
    outcome LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'Polymarket\'s outcome, empty elsewhere and until it is known',
    maker String CODEC(ZSTD(1)) COMMENT 'address, where the venue tells',
    taker String CODEC(ZSTD(1)) COMMENT 'address, where the venue tells',
    transaction_hash String CODEC(ZSTD(1)) COMMENT 'where the venue tells',
    exchange LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'where it was made, if the venue gathers several',
    conditions LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the venue\'s own marks, separated by commas',
    shard UInt16 CODEC(ZSTD(1)) COMMENT 'shard of the stream that held the record',
    offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'running number of the record in its shard: dense, so a hole is visible',
    INDEX place offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (venue, symbol, event_time, offset)
SETTINGS non_replicated_deduplication_window = 10000,
         fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'Trades of all venues, each once.';

CREATE TABLE IF NOT EXISTS trade_corrections
(
    venue LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'venue, lower case',
    symbol LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the venue\'s own spelling',
    trade_id String CODEC(ZSTD(1)) COMMENT 'the trade as it was told first',
    action LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'cancel: it never was; correct: it was as the new values say',
    event_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the venue says it happened',
    received_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the bytes reached us',
    new_trade_id String CODEC(ZSTD(1)) COMMENT 'its id from now on, empty if it is cancelled or keeps its id',
    new_price Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'quote currency',
    new_size Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'base currency',
    new_conditions LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the venue\'s own marks, separated by commas',
    detail String CODEC(ZSTD(1)) COMMENT 'what else the venue said',
    shard UInt16 CODEC(ZSTD(1)) COMMENT 'shard of the stream that held the record',
    offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'running number of the record in its shard: dense, so a hole is visible',
    INDEX place offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (venue, symbol, event_time, offset)
SETTINGS non_replicated_deduplication_window = 10000,
         fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'Trades that a venue took back or changed; `trades` keeps them as they were told.';

CREATE TABLE IF NOT EXISTS quotes
(
    venue LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'venue, lower case',
    symbol LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the venue\'s own spelling',
    event_time Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)) COMMENT 'when the venue says it happened, null if it does not',
    received_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the bytes reached us',
    bid_price Decimal(38, 18) CODEC(ZSTD(1)) COMMENT 'best bid, quote currency',
    bid_size Decimal(38, 18) CODEC(ZSTD(1)) COMMENT 'base currency',
    ask_price Decimal(38, 18) CODEC(ZSTD(1)) COMMENT 'best ask, quote currency',
    ask_size Decimal(38, 18) CODEC(ZSTD(1)) COMMENT 'base currency',
    sequence Nullable(UInt64) CODEC(DoubleDelta, ZSTD(1)) COMMENT 'the venue\'s running number, null if it has none',
    bid_exchange LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'who bids, if the venue gathers several exchanges',
    ask_exchange LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'who asks, if the venue gathers several exchanges',
    conditions LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the venue\'s own marks, separated by commas',
    shard UInt16 CODEC(ZSTD(1)) COMMENT 'shard of the stream that held the record',
    offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'running number of the record in its shard: dense, so a hole is visible',
    INDEX place offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(received_time)
ORDER BY (venue, symbol, received_time, offset)
SETTINGS non_replicated_deduplication_window = 10000,
         fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'Best bid and ask after each change that the venue told.';

CREATE TABLE IF NOT EXISTS book_updates
(
    venue LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'venue, lower case',
    symbol LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the venue\'s own spelling',
    event_time Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)) COMMENT 'when the venue says it happened, null if it does not',
    received_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the bytes reached us',
    kind LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'snapshot replaces the book, delta sets levels (size 0 removes one)',
    first_sequence Nullable(UInt64) CODEC(DoubleDelta, ZSTD(1)) COMMENT 'first book version the message covers',
    last_sequence Nullable(UInt64) CODEC(DoubleDelta, ZSTD(1)) COMMENT 'book version after it',
    bid_prices Array(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'quote currency, best first in a snapshot',
    bid_sizes Array(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'base currency',
    ask_prices Array(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'quote currency, best first in a snapshot',
    ask_sizes Array(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'base currency',
    bid_orders Array(UInt64) CODEC(ZSTD(1)) COMMENT 'orders at each level, empty if the venue does not tell',
    ask_orders Array(UInt64) CODEC(ZSTD(1)) COMMENT 'orders at each level, empty if the venue does not tell',
    depth Nullable(UInt16) CODEC(ZSTD(1)) COMMENT 'levels a side of a limited snapshot, null if it is whole',
    shard UInt16 CODEC(ZSTD(1)) COMMENT 'shard of the stream that held the record',
    offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'running number of the record in its shard: dense, so a hole is visible',
    INDEX place offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(received_time)
ORDER BY (venue, symbol, received_time, offset)
SETTINGS non_replicated_deduplication_window = 10000,
         fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'Order books as the venue told them, message by message.';

CREATE TABLE IF NOT EXISTS book_snapshots
(
    venue LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'venue, lower case',
    symbol LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the venue\'s own spelling',
    event_time Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)) COMMENT 'when the venue says it happened, null if it does not',
    received_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the bytes reached us',
    depth UInt16 CODEC(ZSTD(1)) COMMENT 'levels a side that were asked for',
    bid_prices Array(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'quote currency, best first in a snapshot',
    bid_sizes Array(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'base currency',
    ask_prices Array(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'quote currency, best first in a snapshot',
    ask_sizes Array(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'base currency',
    bid_orders Array(UInt64) CODEC(ZSTD(1)) COMMENT 'orders at each level, empty if the venue does not tell',
    ask_orders Array(UInt64) CODEC(ZSTD(1)) COMMENT 'orders at each level, empty if the venue does not tell',
    source LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'maintained by us, rest: asked for, partial: the venue\'s own top',
    sequence Nullable(UInt64) CODEC(DoubleDelta, ZSTD(1)) COMMENT 'the venue\'s running number, null if it has none',
    shard UInt16 CODEC(ZSTD(1)) COMMENT 'shard of the stream that held the record',
    offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'running number of the record in its shard: dense, so a hole is visible',
    INDEX place offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(received_time)
ORDER BY (venue, symbol, received_time, offset)
SETTINGS non_replicated_deduplication_window = 10000,
         fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'Whole books, or their best levels, at an instant.';

CREATE TABLE IF NOT EXISTS book_stats
(
    venue LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'venue, lower case',
    symbol LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the venue\'s own spelling',
    event_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'the instant; what happened before it is in',
    received_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the bytes of the last message in it reached us',
    source LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'maintained by us, or rest: asked for whole',
    sequence Nullable(UInt64) CODEC(DoubleDelta, ZSTD(1)) COMMENT 'the venue\'s number of the last message in it',
    updates Nullable(UInt64) CODEC(DoubleDelta, ZSTD(1)) COMMENT 'messages since the row before',
    late_updates Nullable(UInt64) CODEC(DoubleDelta, ZSTD(1)) COMMENT 'of these, how many belong to instants that were told before',
    age_ms Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'from the newest message to the instant',
    is_crossed Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the best bid is above the best ask',
    is_locked Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the best bid is the best ask',
    levels UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'known on both sides',
    bid_levels UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'known',
    ask_levels UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'known',
    bid_covered_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'how far from the mid the book is known, null if to its end',
    ask_covered_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'how far from the mid the book is known, null if to its end',
    best_bid Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'quote currency',
    best_bid_size Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'base currency',
    best_ask Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'quote currency',
    best_ask_size Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'base currency',
    mid Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'quote currency',
    spread Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'quote currency',
    spread_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the mid',
    microprice Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'best prices, each weighted by the other side\'s best size',
    weighted_mid Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'best prices, each weighted by the other side\'s size at 5 levels',
    vamp_5 Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'average prices of 5 levels, each weighted by the other side\'s size there',
    vamp_20 Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'average prices of 20 levels, each weighted by the other side\'s size there',
    imbalance_1 Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'bids minus asks over both, best 1 levels, -1 to 1',
    imbalance_5 Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'bids minus asks over both, best 5 levels, -1 to 1',
    imbalance_10 Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'bids minus asks over both, best 10 levels, -1 to 1',
    imbalance_20 Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'bids minus asks over both, best 20 levels, -1 to 1',
    distance_imbalance Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of 20 levels, weighted by exp(-distance / 10 bps)',
    bid_depth_1bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'base currency within 1 bps of the mid',
    ask_depth_1bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'base currency within 1 bps of the mid',
    bid_depth_2bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'base currency within 2 bps of the mid',
    ask_depth_2bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'base currency within 2 bps of the mid',
    bid_depth_5bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'base currency within 5 bps of the mid',
    ask_depth_5bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'base currency within 5 bps of the mid',
    bid_depth_10bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'base currency within 10 bps of the mid',
    ask_depth_10bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'base currency within 10 bps of the mid',
    bid_depth_25bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'base currency within 25 bps of the mid',
    ask_depth_25bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'base currency within 25 bps of the mid',
    bid_depth_50bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'base currency within 50 bps of the mid',
    ask_depth_50bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'base currency within 50 bps of the mid',
    bid_depth_100bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'base currency within 100 bps of the mid',
    ask_depth_100bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'base currency within 100 bps of the mid',
    bid_depth_200bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'base currency within 200 bps of the mid',
    ask_depth_200bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'base currency within 200 bps of the mid',
    bid_depth_500bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'base currency within 500 bps of the mid',
    ask_depth_500bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'base currency within 500 bps of the mid',
    bid_notional_1bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    ask_notional_1bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    bid_notional_2bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    ask_notional_2bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    bid_notional_5bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    ask_notional_5bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    bid_notional_10bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    ask_notional_10bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    bid_notional_25bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    ask_notional_25bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    bid_notional_50bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    ask_notional_50bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    bid_notional_100bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    ask_notional_100bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    bid_notional_200bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    ask_notional_200bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    bid_notional_500bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    ask_notional_500bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    imbalance_1bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the base currency within 1 bps of the mid, -1 to 1',
    imbalance_2bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the base currency within 2 bps of the mid, -1 to 1',
    imbalance_5bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the base currency within 5 bps of the mid, -1 to 1',
    imbalance_10bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the base currency within 10 bps of the mid, -1 to 1',
    imbalance_25bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the base currency within 25 bps of the mid, -1 to 1',
    imbalance_50bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the base currency within 50 bps of the mid, -1 to 1',
    imbalance_100bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the base currency within 100 bps of the mid, -1 to 1',
    imbalance_200bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the base currency within 200 bps of the mid, -1 to 1',
    imbalance_500bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the base currency within 500 bps of the mid, -1 to 1',
    buy_cost_1k_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'average price of a market order for 1k against the mid',
    buy_cost_5k_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'average price of a market order for 5k against the mid',
    buy_cost_10k_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'average price of a market order for 10k against the mid',
    buy_cost_50k_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'average price of a market order for 50k against the mid',
    buy_cost_100k_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'average price of a market order for 100k against the mid',
    buy_cost_500k_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'average price of a market order for 500k against the mid',
    buy_cost_1m_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'average price of a market order for 1m against the mid',
    buy_reach_10bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'most quote currency at an average price within 10 bps of the mid',
    buy_reach_25bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'most quote currency at an average price within 25 bps of the mid',
    buy_reach_50bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'most quote currency at an average price within 50 bps of the mid',
    sell_cost_1k_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'average price of a market order for 1k against the mid',
    sell_cost_5k_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'average price of a market order for 5k against the mid',
    sell_cost_10k_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'average price of a market order for 10k against the mid',
    sell_cost_50k_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'average price of a market order for 50k against the mid',
    sell_cost_100k_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'average price of a market order for 100k against the mid',
    sell_cost_500k_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'average price of a market order for 500k against the mid',
    sell_cost_1m_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'average price of a market order for 1m against the mid',
    sell_reach_10bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'most quote currency at an average price within 10 bps of the mid',
    sell_reach_25bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'most quote currency at an average price within 25 bps of the mid',
    sell_reach_50bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'most quote currency at an average price within 50 bps of the mid',
    bid_slope Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'Naes-Skjeltorp, of 20 levels',
    ask_slope Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'Naes-Skjeltorp, of 20 levels',
    slope Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'mean of both sides',
    quote_slope Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'Hasbrouck-Seppi: spread by the logarithms of both best sizes',
    log_quote_slope Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same with the logarithm of the prices\' quotient',
    bid_hhi Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'concentration of 20 levels: sum of squared shares',
    ask_hhi Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'concentration of 20 levels: sum of squared shares',
    bid_share_5 Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the best 5 levels in the best 20',
    ask_share_5 Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the best 5 levels in the best 20',
    bid_hole_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'largest distance between neighbours of the best 20 levels',
    ask_hole_bps Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'largest distance between neighbours of the best 20 levels',
    bid_walls Nullable(UInt64) CODEC(DoubleDelta, ZSTD(1)) COMMENT 'levels of the best 20 that are walls',
    bid_wall_price Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the nearest wall',
    bid_wall_size Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the nearest wall, base currency',
    bid_orders Nullable(UInt64) CODEC(DoubleDelta, ZSTD(1)) COMMENT 'at the best 20 levels, null if the venue does not tell',
    bid_order_size Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'mean size of an order there, base currency',
    ask_walls Nullable(UInt64) CODEC(DoubleDelta, ZSTD(1)) COMMENT 'levels of the best 20 that are walls',
    ask_wall_price Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the nearest wall',
    ask_wall_size Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the nearest wall, base currency',
    ask_orders Nullable(UInt64) CODEC(DoubleDelta, ZSTD(1)) COMMENT 'at the best 20 levels, null if the venue does not tell',
    ask_order_size Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'mean size of an order there, base currency',
    ofi_1 Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'order flow imbalance of level 1 since the row before, base',
    ofi_2 Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'order flow imbalance of level 2 since the row before, base',
    ofi_3 Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'order flow imbalance of level 3 since the row before, base',
    ofi_4 Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'order flow imbalance of level 4 since the row before, base',
    ofi_5 Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'order flow imbalance of level 5 since the row before, base',
    ofi_kind Nullable(String) CODEC(ZSTD(1)) COMMENT 'event: seen by changes, snapshot: between books, or mixed',
    bid_covered_1bps Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the side is known 1 bps from the mid',
    bid_covered_2bps Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the side is known 2 bps from the mid',
    bid_covered_5bps Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the side is known 5 bps from the mid',
    bid_covered_10bps Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the side is known 10 bps from the mid',
    bid_covered_25bps Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the side is known 25 bps from the mid',
    bid_covered_50bps Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the side is known 50 bps from the mid',
    bid_covered_100bps Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the side is known 100 bps from the mid',
    bid_covered_200bps Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the side is known 200 bps from the mid',
    bid_covered_500bps Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the side is known 500 bps from the mid',
    bid_known_depth Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of all known levels, base: the least in a band that is not covered',
    bid_known_notional Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    ask_covered_1bps Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the side is known 1 bps from the mid',
    ask_covered_2bps Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the side is known 2 bps from the mid',
    ask_covered_5bps Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the side is known 5 bps from the mid',
    ask_covered_10bps Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the side is known 10 bps from the mid',
    ask_covered_25bps Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the side is known 25 bps from the mid',
    ask_covered_50bps Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the side is known 50 bps from the mid',
    ask_covered_100bps Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the side is known 100 bps from the mid',
    ask_covered_200bps Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the side is known 200 bps from the mid',
    ask_covered_500bps Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'the side is known 500 bps from the mid',
    ask_known_depth Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of all known levels, base: the least in a band that is not covered',
    ask_known_notional Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'the same in quote currency',
    bid_wall_age_ms Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'since when the nearest wall is seen to stand',
    bid_wall_gone Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'what the nearest wall lost since the row before, if it is one no more, base',
    bid_wall_end Nullable(String) CODEC(ZSTD(1)) COMMENT 'pulled or eaten, null where the book cannot tell',
    bid_removed_rate Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'what left the best queue in the last 10 s, base per second',
    bid_depletion_s Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'in how many seconds the best queue is gone at that rate',
    ask_wall_age_ms Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'since when the nearest wall is seen to stand',
    ask_wall_gone Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'what the nearest wall lost since the row before, if it is one no more, base',
    ask_wall_end Nullable(String) CODEC(ZSTD(1)) COMMENT 'pulled or eaten, null where the book cannot tell',
    ask_removed_rate Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'what left the best queue in the last 10 s, base per second',
    ask_depletion_s Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'in how many seconds the best queue is gone at that rate',
    bid_resilience Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'what has come back since 5 levels halved, in the last 10 s; 1 is all',
    bid_half_life_s Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'how long half of it took',
    ask_resilience Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'what has come back since 5 levels halved, in the last 10 s; 1 is all',
    ask_half_life_s Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'how long half of it took',
    spread_resilience Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'what has come back since the spread doubled, in the last 10 s; 1 is all',
    spread_half_life_s Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'how long half of it took',
    shard UInt16 CODEC(ZSTD(1)) COMMENT 'shard of the stream that held the record',
    offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'running number of the record in its shard: dense, so a hole is visible',
    INDEX place offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(event_time)
ORDER BY (venue, symbol, event_time, offset)
SETTINGS non_replicated_deduplication_window = 10000,
         fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'What books said at instants of event time, in numbers; null is what a book could not answer.';

CREATE TABLE IF NOT EXISTS tickers
(
    venue LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'venue, lower case',
    symbol LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the venue\'s own spelling',
    event_time Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)) COMMENT 'when the venue says it happened, null if it does not',
    received_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the bytes reached us',
    last_price Decimal(38, 18) CODEC(ZSTD(1)) COMMENT 'quote currency',
    last_size Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'base currency',
    last_trade_time Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)) COMMENT 'of the last trade',
    volume Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'base currency, over the venue\'s own window',
    quote_volume Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'quote currency, over the venue\'s own window',
    open_interest Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'contracts',
    bid_price Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'best bid',
    bid_size Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'base currency',
    ask_price Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'best ask',
    ask_size Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'base currency',
    open Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'of the venue\'s own window',
    high Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'of the venue\'s own window',
    low Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'of the venue\'s own window',
    previous_close Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'of the session before',
    average_price Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'of the venue\'s own window',
    total_bid_size Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'of all levels',
    total_ask_size Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'of all levels',
    implied_volatility Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'as the venue has it',
    delta Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'as the venue has it',
    gamma Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'as the venue has it',
    theta Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'as the venue has it',
    vega Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'as the venue has it',
    rho Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'as the venue has it',
    repeats Nullable(UInt64) CODEC(DoubleDelta, ZSTD(1)) COMMENT 'times the row before it was said again, null if never',
    shard UInt16 CODEC(ZSTD(1)) COMMENT 'shard of the stream that held the record',
    offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'running number of the record in its shard: dense, so a hole is visible',
    INDEX place offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(received_time)
ORDER BY (venue, symbol, received_time, offset)
SETTINGS non_replicated_deduplication_window = 10000,
         fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'Tickers and conflated ticks.';

CREATE TABLE IF NOT EXISTS bar_versions
(
    venue LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'venue, lower case',
    symbol LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the venue\'s own spelling',
    interval LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the venue\'s spelling, e.g. 1m',
    open_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'start of the bar, inclusive',
    open Decimal(38, 18) CODEC(ZSTD(1)) COMMENT 'quote currency',
    high Decimal(38, 18) CODEC(ZSTD(1)) COMMENT 'quote currency',
    low Decimal(38, 18) CODEC(ZSTD(1)) COMMENT 'quote currency',
    close Decimal(38, 18) CODEC(ZSTD(1)) COMMENT 'quote currency',
    volume Decimal(38, 18) CODEC(ZSTD(1)) COMMENT 'base currency',
    quote_volume Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'quote currency, null if not told',
    vwap Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'quote currency, null if not told',
    trades Nullable(UInt64) CODEC(DoubleDelta, ZSTD(1)) COMMENT 'number of trades, null if not told',
    is_closed Nullable(Bool) CODEC(ZSTD(1)) COMMENT 'whether the venue calls it final',
    event_time Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)) COMMENT 'when the venue says it happened, null if it does not',
    received_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the bytes reached us',
    shard UInt16 CODEC(ZSTD(1)) COMMENT 'shard of the stream that held the record',
    offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'running number of the record in its shard: dense, so a hole is visible',
    INDEX place offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(offset)
PARTITION BY toYYYYMM(open_time)
ORDER BY (venue, symbol, interval, open_time)
SETTINGS non_replicated_deduplication_window = 10000,
         fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'Every version of the venues\' own candles; read `bars` for the newest.';

CREATE TABLE IF NOT EXISTS statuses
(
    venue LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'venue, lower case',
    symbol LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the venue\'s own spelling',
    kind LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'trading, price_band, tick_size, resolution or session',
    status LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the venue\'s own word',
    reason String CODEC(ZSTD(1)) COMMENT 'the venue\'s own words',
    lower_price Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'lower limit, quote currency',
    upper_price Nullable(Decimal(38, 18)) CODEC(ZSTD(1)) COMMENT 'upper limit, quote currency',
    detail String CODEC(ZSTD(1)) COMMENT 'what else the venue said',
    event_time Nullable(DateTime64(9, 'UTC')) CODEC(Delta, ZSTD(1)) COMMENT 'when the venue says it happened, null if it does not',
    received_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the bytes reached us',
    shard UInt16 CODEC(ZSTD(1)) COMMENT 'shard of the stream that held the record',
    offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'running number of the record in its shard: dense, so a hole is visible',
    INDEX place offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(received_time)
ORDER BY (venue, symbol, received_time, offset)
SETTINGS non_replicated_deduplication_window = 10000,
         fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'What instruments and markets may do: halts, price bands, tick sizes, sessions, resolutions.';

CREATE TABLE IF NOT EXISTS feed_events
(
    venue LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'venue, lower case',
    symbol LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the venue\'s own spelling',
    channel LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'what it concerns: trade, depth, socket, subgraph, ...',
    kind LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'connected, disconnected, gap, resync, stale, backfilled, refused or schema_change',
    from_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'start of the stretch concerned',
    to_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'end of the stretch concerned',
    expected String CODEC(ZSTD(1)) COMMENT 'e.g. the sequence that should have come',
    found String CODEC(ZSTD(1)) COMMENT 'what came instead',
    detail String CODEC(ZSTD(1)) COMMENT 'in words',
    received_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the bytes reached us',
    shard UInt16 CODEC(ZSTD(1)) COMMENT 'shard of the stream that held the record',
    offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'running number of the record in its shard: dense, so a hole is visible',
    INDEX place offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(from_time)
ORDER BY (venue, from_time, offset)
SETTINGS non_replicated_deduplication_window = 10000,
         fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'What a user of the data must know: every gap, resync and refusal, with its interval.';

CREATE TABLE IF NOT EXISTS dead_letters
(
    id String CODEC(ZSTD(1)) COMMENT 'digest of place and payload',
    venue LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'venue, lower case',
    symbol LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the venue\'s own spelling',
    received_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the bytes reached us',
    stream LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'where it stood, empty if it never reached a stream',
    program LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'who set it aside',
    reason String CODEC(ZSTD(1)) COMMENT 'why',
    attempts UInt16 CODEC(ZSTD(1)) COMMENT 'how often it was tried',
    payload String CODEC(ZSTD(1)) COMMENT 'the bytes, whole',
    encoding LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'text or base64',
    shard UInt16 CODEC(ZSTD(1)) COMMENT 'shard of the stream that held the record',
    offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'running number of the record in its shard: dense, so a hole is visible',
    INDEX place offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(received_time)
ORDER BY (received_time, offset)
SETTINGS non_replicated_deduplication_window = 10000,
         fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'What could not be read or stored, whole.';

CREATE TABLE IF NOT EXISTS alerts
(
    rule LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'what was looked for',
    subject String CODEC(ZSTD(1)) COMMENT 'what it is about',
    state LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'firing or over',
    words String CODEC(ZSTD(1)) COMMENT 'how bad it is',
    since_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when it began',
    received_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the bytes reached us',
    shard UInt16 CODEC(ZSTD(1)) COMMENT 'shard of the stream that held the record',
    offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'running number of the record in its shard: dense, so a hole is visible',
    INDEX place offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(received_time)
ORDER BY (received_time, offset)
SETTINGS non_replicated_deduplication_window = 10000,
         fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'Alarms of the fleet: when each began and when it was over.';

CREATE VIEW IF NOT EXISTS markets AS
SELECT * EXCEPT (shard, offset) FROM market_versions FINAL
COMMENT 'Polymarket markets, each once, as last seen.';

CREATE VIEW IF NOT EXISTS bars AS
SELECT * EXCEPT (shard, offset) FROM bar_versions FINAL
COMMENT 'The venues'' own candles, each once, as last told.';

CREATE TABLE IF NOT EXISTS market_tokens
(
    token_id String COMMENT 'outcome token',
    market_id String COMMENT 'its market',
    outcome String COMMENT 'name of the outcome',
    version UInt64 COMMENT 'place of the record in its shard'
)
ENGINE = ReplacingMergeTree(version) ORDER BY token_id
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'Which market and outcome a token is.';

CREATE MATERIALIZED VIEW IF NOT EXISTS market_tokens_fill TO market_tokens AS
SELECT token_id, market_id, outcome, offset AS version
FROM market_versions
ARRAY JOIN token_ids AS token_id, outcomes AS outcome
WHERE length(token_ids) = length(outcomes);
