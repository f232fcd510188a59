-- All walls of a side and not only the nearest.
ALTER TABLE book_stats
    ADD COLUMN IF NOT EXISTS bid_walls_size Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of all walls of the best 20 levels together, base currency' AFTER spread_half_life_s,
    ADD COLUMN IF NOT EXISTS bid_largest_wall_price Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the largest wall, the nearest of equals' AFTER bid_walls_size,
    ADD COLUMN IF NOT EXISTS bid_largest_wall_size Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the largest wall, base currency' AFTER bid_largest_wall_price,
    ADD COLUMN IF NOT EXISTS bid_oldest_wall_age_ms Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'since when the wall that stands longest is seen to stand' AFTER bid_largest_wall_size,
    ADD COLUMN IF NOT EXISTS bid_walls_pulled Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'what walls of the row before lost since that were pulled, base' AFTER bid_oldest_wall_age_ms,
    ADD COLUMN IF NOT EXISTS bid_walls_eaten Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'what walls of the row before lost since that were eaten, base' AFTER bid_walls_pulled,
    ADD COLUMN IF NOT EXISTS ask_walls_size Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of all walls of the best 20 levels together, base currency' AFTER bid_walls_eaten,
    ADD COLUMN IF NOT EXISTS ask_largest_wall_price Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the largest wall, the nearest of equals' AFTER ask_walls_size,
    ADD COLUMN IF NOT EXISTS ask_largest_wall_size Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'of the largest wall, base currency' AFTER ask_largest_wall_price,
    ADD COLUMN IF NOT EXISTS ask_oldest_wall_age_ms Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'since when the wall that stands longest is seen to stand' AFTER ask_largest_wall_size,
    ADD COLUMN IF NOT EXISTS ask_walls_pulled Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'what walls of the row before lost since that were pulled, base' AFTER ask_oldest_wall_age_ms,
    ADD COLUMN IF NOT EXISTS ask_walls_eaten Nullable(Float64) CODEC(Gorilla, ZSTD(1)) COMMENT 'what walls of the row before lost since that were eaten, base' AFTER ask_walls_pulled;
