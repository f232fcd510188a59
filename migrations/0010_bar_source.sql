-- Which of the venues' own candles were told by the stream, and which were asked for later.
ALTER TABLE bar_versions
    ADD COLUMN IF NOT EXISTS source LowCardinality(String) DEFAULT 'live' CODEC(ZSTD(1))
    COMMENT 'live, or backfill: asked for later' AFTER received_time;

CREATE OR REPLACE VIEW bars AS
SELECT * EXCEPT (shard, offset) FROM bar_versions FINAL
COMMENT 'The venues'' own candles, each once, as last told.';

ALTER TABLE bars
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN symbol 'the venue\'s own spelling',
    COMMENT COLUMN interval 'the venue\'s spelling, e.g. 1m',
    COMMENT COLUMN open_time 'start of the bar, inclusive',
    COMMENT COLUMN open 'quote currency',
    COMMENT COLUMN high 'quote currency',
    COMMENT COLUMN low 'quote currency',
    COMMENT COLUMN close 'quote currency',
    COMMENT COLUMN volume 'base currency',
    COMMENT COLUMN quote_volume 'quote currency, null if not told',
    COMMENT COLUMN vwap 'quote currency, null if not told',
    COMMENT COLUMN trades 'number of trades, null if not told',
    COMMENT COLUMN is_closed 'whether the venue calls it final',
    COMMENT COLUMN event_time 'when the venue says it happened, null if it does not',
    COMMENT COLUMN received_time 'when the bytes reached us',
    COMMENT COLUMN source 'live, or backfill: asked for later';
