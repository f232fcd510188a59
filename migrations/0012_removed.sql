-- What a chain took back: rows leave their table for one beside it, each record of the stream stands in one of the two.

CREATE TABLE IF NOT EXISTS removed_order_events
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
COMMENT 'Rows of order_events that their source took back, and the records (source: removed) that say so.';

CREATE TABLE IF NOT EXISTS removed_trades
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
COMMENT 'Rows of trades that their source took back, and the records (source: removed) that say so.';

-- A trade that was removed is in no candle any more, and one that came again is in its candle once.
CREATE OR REPLACE VIEW corrected_trades AS
SELECT venue, symbol, trade_id, event_time AS corrected_time
FROM trades
WHERE (venue, symbol, trade_id) IN (SELECT venue, symbol, trade_id FROM trade_corrections)
UNION ALL
SELECT venue, symbol, trade_id, event_time AS corrected_time
FROM removed_trades
COMMENT 'Trades that a venue took back or changed later.';

ALTER TABLE corrected_trades
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN symbol 'the venue\'s own spelling',
    COMMENT COLUMN trade_id 'the venue\'s id',
    COMMENT COLUMN corrected_time 'when the trade happened that was taken back or changed later';

CREATE OR REPLACE VIEW trades_now AS
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
    FROM (SELECT * FROM trade_corrections WHERE action != 'removed')
    GROUP BY venue, symbol, trade_id
) AS later ON told.venue = later.venue AND told.symbol = later.symbol AND told.trade_id = later.trade_id
WHERE later.action != 'cancel'
COMMENT 'Trades with corrections applied: the cancelled ones are left out, the corrected ones as they were.';

ALTER TABLE trades_now
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN symbol 'the venue\'s own spelling',
    COMMENT COLUMN trade_id 'the venue\'s id, as corrected',
    COMMENT COLUMN event_time 'when the venue says it happened',
    COMMENT COLUMN received_time 'when the bytes reached us',
    COMMENT COLUMN price 'quote currency, as corrected',
    COMMENT COLUMN size 'base currency, as corrected',
    COMMENT COLUMN notional 'price x size, quote currency',
    COMMENT COLUMN taker_side 'buy, sell or unknown',
    COMMENT COLUMN source 'live, backfill or derived',
    COMMENT COLUMN market_id 'Polymarket\'s market, empty elsewhere and until it is known',
    COMMENT COLUMN outcome 'Polymarket\'s outcome, empty elsewhere and until it is known',
    COMMENT COLUMN shard 'shard of the stream that held the record',
    COMMENT COLUMN offset 'running number of the record in its shard: dense, so a hole is visible';
