-- What people do to the fleet.

CREATE TABLE IF NOT EXISTS actions
(
    who String CODEC(ZSTD(1)) COMMENT 'who did it: the name given to the dashboard, or the user of the machine',
    way String CODEC(ZSTD(1)) COMMENT 'from where: the dashboard and the address, or the command line',
    action LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'what was done',
    subject String CODEC(ZSTD(1)) COMMENT 'to what',
    command String CODEC(ZSTD(1)) COMMENT 'the same at a prompt',
    before String CODEC(ZSTD(1)) COMMENT 'what stood there',
    after String CODEC(ZSTD(1)) COMMENT 'what stands there since',
    outcome String CODEC(ZSTD(1)) COMMENT 'done, or why not',
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
COMMENT 'What people did to the fleet, from the dashboard and at a prompt.';
