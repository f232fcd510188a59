"""ClickHouse in one process: an HTTP face on the embedded chdb engine, persisted in one directory."""
