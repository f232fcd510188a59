-- What the pages' charts over time are made of.

CREATE TABLE IF NOT EXISTS key_figures
(
    name LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'lag_s, lag, in, stream, rows or memory; docs/schema.md says what each is',
    label LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'what it is of: a group on a stream, a venue, a stream, a table',
    step_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the minute began that it is of',
    value Float64 CODEC(Gorilla, ZSTD(1)) COMMENT 'in the unit that goes with the name',
    received_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the bytes reached us',
    shard UInt16 CODEC(ZSTD(1)) COMMENT 'shard of the stream that held the record',
    offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'running number of the record in its shard: dense, so a hole is visible',
    INDEX place offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(step_time)
ORDER BY (name, label, step_time, offset)
TTL toDateTime(step_time) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 10000,
         fsync_after_insert = 1, fsync_part_directory = 1,
         min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'Key figures of the fleet by the minute, of the last thirty days.';
