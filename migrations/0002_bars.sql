-- Open and close go by the venue's time, and by the place in the stream where that is equal: one number of both, because
-- a tuple costs an insert of trades ten times as much. A minute is made of its seconds, so each trade is looked at once.
CREATE TABLE IF NOT EXISTS bars_1s_state
(
    venue LowCardinality(String),
    symbol LowCardinality(String),
    open_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    open AggregateFunction(argMin, Decimal(38, 18), UInt128),
    high SimpleAggregateFunction(max, Decimal(38, 18)),
    low SimpleAggregateFunction(min, Decimal(38, 18)),
    close AggregateFunction(argMax, Decimal(38, 18), UInt128),
    volume SimpleAggregateFunction(sum, Decimal(38, 18)),
    notional SimpleAggregateFunction(sum, Decimal(38, 18)),
    buy_volume SimpleAggregateFunction(sum, Decimal(38, 18)),
    sell_volume SimpleAggregateFunction(sum, Decimal(38, 18)),
    trades SimpleAggregateFunction(sum, UInt64)
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(open_time) ORDER BY (venue, symbol, open_time)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'Candles in the making, read bars_1s.';

CREATE MATERIALIZED VIEW IF NOT EXISTS bars_1s_fill TO bars_1s_state AS
SELECT
    venue,
    symbol,
    toStartOfInterval(event_time, INTERVAL 1 SECOND) AS open_time,
    argMinState(price, bitShiftLeft(toUInt128(toUnixTimestamp64Nano(event_time)), 64) + offset) AS open,
    max(price) AS high,
    min(price) AS low,
    argMaxState(price, bitShiftLeft(toUInt128(toUnixTimestamp64Nano(event_time)), 64) + offset) AS close,
    sum(size) AS volume,
    sum(trades.notional) AS notional,
    sumIf(size, taker_side = 'buy') AS buy_volume,
    sumIf(size, taker_side = 'sell') AS sell_volume,
    count() AS trades
FROM trades
GROUP BY venue, symbol, open_time;

CREATE TABLE IF NOT EXISTS bars_1m_state
(
    venue LowCardinality(String),
    symbol LowCardinality(String),
    open_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    open AggregateFunction(argMin, Decimal(38, 18), UInt128),
    high SimpleAggregateFunction(max, Decimal(38, 18)),
    low SimpleAggregateFunction(min, Decimal(38, 18)),
    close AggregateFunction(argMax, Decimal(38, 18), UInt128),
    volume SimpleAggregateFunction(sum, Decimal(38, 18)),
    notional SimpleAggregateFunction(sum, Decimal(38, 18)),
    buy_volume SimpleAggregateFunction(sum, Decimal(38, 18)),
    sell_volume SimpleAggregateFunction(sum, Decimal(38, 18)),
    trades SimpleAggregateFunction(sum, UInt64)
)
ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(open_time) ORDER BY (venue, symbol, open_time)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'Candles in the making, read bars_1m.';

CREATE MATERIALIZED VIEW IF NOT EXISTS bars_1m_fill TO bars_1m_state AS
SELECT
    state.venue AS venue,
    state.symbol AS symbol,
    toStartOfMinute(state.open_time) AS open_time,
    argMinMergeState(state.open) AS open,
    max(state.high) AS high,
    min(state.low) AS low,
    argMaxMergeState(state.close) AS close,
    sum(state.volume) AS volume,
    sum(state.notional) AS notional,
    sum(state.buy_volume) AS buy_volume,
    sum(state.sell_volume) AS sell_volume,
    sum(state.trades) AS trades
FROM bars_1s_state AS state
GROUP BY venue, symbol, open_time;

-- Trades as they stand after what the venues took back or changed. Corrections are rare: the candles that they touch are made
-- anew when they are read, all others come from their states.
CREATE VIEW IF NOT EXISTS corrected_trades AS
SELECT venue, symbol, trade_id, event_time AS corrected_time
FROM trades
WHERE (venue, symbol, trade_id) IN (SELECT venue, symbol, trade_id FROM trade_corrections)
COMMENT 'Trades that a venue took back or changed later.';

CREATE VIEW IF NOT EXISTS trades_now AS
SELECT
    told.venue AS venue,
    told.symbol AS symbol,
    if(later.new_trade_id = '', told.trade_id, later.new_trade_id) AS trade_id,
    told.event_time AS event_time,
    told.received_time AS received_time,
    coalesce(later.new_price, told.price) AS price,
    coalesce(later.new_size, told.size) AS size,
    if(
        later.action = '',
        told.notional,
        CAST(multiplyDecimal(coalesce(later.new_price, told.price), coalesce(later.new_size, told.size), 18), 'Decimal(38, 18)')
    ) AS notional,
    told.taker_side AS taker_side,
    told.source AS source,
    told.market_id AS market_id,
    told.outcome AS outcome,
    told.shard AS shard,
    told.offset AS offset
FROM trades AS told
LEFT ANY JOIN
(
    SELECT
        venue,
        symbol,
        trade_id,
        argMax(action, offset) AS action,
        argMax(new_trade_id, offset) AS new_trade_id,
        argMax(tuple(new_price), offset).1 AS new_price,
        argMax(tuple(new_size), offset).1 AS new_size
    FROM trade_corrections
    GROUP BY venue, symbol, trade_id
) AS later ON told.venue = later.venue AND told.symbol = later.symbol AND told.trade_id = later.trade_id
WHERE later.action != 'cancel'
COMMENT 'Trades with corrections applied: the cancelled ones are left out, the corrected ones as they were.';

CREATE VIEW IF NOT EXISTS bars_1s_now AS
SELECT venue, symbol, open_time, open, high, low, close, volume, notional, buy_volume, sell_volume, trades
FROM bars_1s_state
WHERE (venue, symbol, open_time) NOT IN (SELECT venue, symbol, toStartOfInterval(corrected_time, INTERVAL 1 SECOND) FROM corrected_trades)
UNION ALL
SELECT
    venue,
    symbol,
    toStartOfInterval(event_time, INTERVAL 1 SECOND) AS open_time,
    argMinState(price, bitShiftLeft(toUInt128(toUnixTimestamp64Nano(event_time)), 64) + offset) AS open,
    max(price) AS high,
    min(price) AS low,
    argMaxState(price, bitShiftLeft(toUInt128(toUnixTimestamp64Nano(event_time)), 64) + offset) AS close,
    sum(size) AS volume,
    sum(trades_now.notional) AS notional,
    sumIf(size, taker_side = 'buy') AS buy_volume,
    sumIf(size, taker_side = 'sell') AS sell_volume,
    count() AS trades
FROM trades_now
WHERE (venue, symbol, toStartOfInterval(event_time, INTERVAL 1 SECOND)) IN (SELECT venue, symbol, toStartOfInterval(corrected_time, INTERVAL 1 SECOND) FROM corrected_trades)
GROUP BY venue, symbol, open_time
COMMENT 'The states of candles; those with a corrected trade in them are made anew from the trades.';

CREATE VIEW IF NOT EXISTS bars_1m_now AS
SELECT venue, symbol, open_time, open, high, low, close, volume, notional, buy_volume, sell_volume, trades
FROM bars_1m_state
WHERE (venue, symbol, open_time) NOT IN (SELECT venue, symbol, toStartOfMinute(corrected_time) FROM corrected_trades)
UNION ALL
SELECT
    venue,
    symbol,
    toStartOfMinute(event_time) AS open_time,
    argMinState(price, bitShiftLeft(toUInt128(toUnixTimestamp64Nano(event_time)), 64) + offset) AS open,
    max(price) AS high,
    min(price) AS low,
    argMaxState(price, bitShiftLeft(toUInt128(toUnixTimestamp64Nano(event_time)), 64) + offset) AS close,
    sum(size) AS volume,
    sum(trades_now.notional) AS notional,
    sumIf(size, taker_side = 'buy') AS buy_volume,
    sumIf(size, taker_side = 'sell') AS sell_volume,
    count() AS trades
FROM trades_now
WHERE (venue, symbol, toStartOfMinute(event_time)) IN (SELECT venue, symbol, toStartOfMinute(corrected_time) FROM corrected_trades)
GROUP BY venue, symbol, open_time
COMMENT 'The states of candles; those with a corrected trade in them are made anew from the trades.';

CREATE VIEW IF NOT EXISTS bars_1s AS
SELECT
    venue,
    symbol,
    '1s' AS interval,
    state.open_time AS open_time,
    argMinMerge(state.open) AS open,
    max(state.high) AS high,
    min(state.low) AS low,
    argMaxMerge(state.close) AS close,
    sum(state.volume) AS volume,
    sum(state.trades) AS trades,
    open_time + INTERVAL 1 SECOND <= now64(9) AS is_closed,
    toFloat64(sum(state.notional)) / nullIf(toFloat64(sum(state.volume)), 0) AS vwap,
    sum(state.notional) AS notional,
    sum(state.buy_volume) AS buy_volume,
    sum(state.sell_volume) AS sell_volume
FROM bars_1s_now AS state
GROUP BY venue, symbol, open_time
COMMENT 'Candles of 1s from trades, corrections applied; vwap is a Float64, all else exact.';

CREATE VIEW IF NOT EXISTS bars_1m AS
SELECT
    venue,
    symbol,
    '1m' AS interval,
    state.open_time AS open_time,
    argMinMerge(state.open) AS open,
    max(state.high) AS high,
    min(state.low) AS low,
    argMaxMerge(state.close) AS close,
    sum(state.volume) AS volume,
    sum(state.trades) AS trades,
    open_time + INTERVAL 1 MINUTE <= now64(9) AS is_closed,
    toFloat64(sum(state.notional)) / nullIf(toFloat64(sum(state.volume)), 0) AS vwap,
    sum(state.notional) AS notional,
    sum(state.buy_volume) AS buy_volume,
    sum(state.sell_volume) AS sell_volume
FROM bars_1m_now AS state
GROUP BY venue, symbol, open_time
COMMENT 'Candles of 1m from trades, corrections applied; vwap is a Float64, all else exact.';

CREATE VIEW IF NOT EXISTS bars_1h AS
SELECT
    venue,
    symbol,
    '1h' AS interval,
    toStartOfInterval(state.open_time, INTERVAL 1 HOUR, 'UTC') AS open_time,
    argMinMerge(state.open) AS open,
    max(state.high) AS high,
    min(state.low) AS low,
    argMaxMerge(state.close) AS close,
    sum(state.volume) AS volume,
    sum(state.trades) AS trades,
    open_time + INTERVAL 1 HOUR <= now64(9) AS is_closed,
    toFloat64(sum(state.notional)) / nullIf(toFloat64(sum(state.volume)), 0) AS vwap,
    sum(state.notional) AS notional,
    sum(state.buy_volume) AS buy_volume,
    sum(state.sell_volume) AS sell_volume
FROM bars_1m_now AS state
GROUP BY venue, symbol, open_time
COMMENT 'Candles of 1h from trades, corrections applied; vwap is a Float64, all else exact.';

CREATE VIEW IF NOT EXISTS bars_1d AS
SELECT
    venue,
    symbol,
    '1d' AS interval,
    toStartOfInterval(state.open_time, INTERVAL 1 DAY, 'UTC') AS open_time,
    argMinMerge(state.open) AS open,
    max(state.high) AS high,
    min(state.low) AS low,
    argMaxMerge(state.close) AS close,
    sum(state.volume) AS volume,
    sum(state.trades) AS trades,
    open_time + INTERVAL 1 DAY <= now64(9) AS is_closed,
    toFloat64(sum(state.notional)) / nullIf(toFloat64(sum(state.volume)), 0) AS vwap,
    sum(state.notional) AS notional,
    sum(state.buy_volume) AS buy_volume,
    sum(state.sell_volume) AS sell_volume
FROM bars_1m_now AS state
GROUP BY venue, symbol, open_time
COMMENT 'Candles of 1d from trades, corrections applied; vwap is a Float64, all else exact.';
