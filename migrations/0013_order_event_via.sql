-- Which fills were read as they came, and which later: by hand, or because an earlier reading had left them out.
ALTER TABLE order_events
    ADD COLUMN IF NOT EXISTS via LowCardinality(String) DEFAULT 'live' CODEC(ZSTD(1))
    COMMENT 'live, or backfill: read later, by hand or because it had been left out' AFTER source;

ALTER TABLE removed_order_events
    ADD COLUMN IF NOT EXISTS via LowCardinality(String) DEFAULT 'live' CODEC(ZSTD(1))
    COMMENT 'live, or backfill: read later, by hand or because it had been left out' AFTER source;
