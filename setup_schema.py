"""Create and migrate the schema; safe to run twice, and from several hosts at once."""

import asyncio
import os
import sys
from collections.abc import Sequence

from common.clickhouse import Store, connect
from common.errors import BadSettings, SchemaMismatch, StoreRefused
from common.redis_streams import RedisError, continue_offsets
from common.redis_streams import connect as connect_redis
from common.schema import Migration, apply, migrations, offsets_stored
from common.settings import Settings

SIZE = (
    "SELECT countIf(engine NOT LIKE '%View'), countIf(engine LIKE '%View') "
    "FROM system.tables WHERE database = {name:String}"
)


async def _continue(settings: Settings) -> dict[str, int]:
    """Let shards that Redis does not know (a new or lost volume) count on from what the tables hold."""
    redis = connect_redis(settings)
    try:
        return await continue_offsets(redis, await offsets_stored(Store(connect(settings))), settings)
    finally:
        await redis.aclose()


def _size(settings: Settings) -> str:
    ((tables, views),) = connect(settings).query(SIZE, {"name": settings.clickhouse_database}).result_rows
    return f"{tables} tables, {views} views"


def done(applied: Sequence[Migration]) -> str:
    """Return `migrations 0011 to 0012`, the first and the last of those applied now."""
    if not applied:
        return f"at migration {len(migrations()):04}"
    first, last = applied[0].version, applied[-1].version
    return f"migration {last:04}" if first == last else f"migrations {first:04} to {last:04}"


def set_up(settings: Settings) -> list[str]:
    """
    Create or migrate the schema; return what was done, a line each.

    Raises:
        SchemaMismatch: the schema is newer than the code, or a migration was changed after it was applied.
        StoreRefused: ClickHouse does not answer, or will not.
        RedisError: Redis does not answer.
    """
    applied = apply(settings)
    continued = asyncio.run(_continue(settings))
    return [
        f"{_size(settings)}, {done(applied)}",
        *(
            f"{key}: Redis has no record of it, counting on from {offset} as ClickHouse holds"
            for key, offset in continued.items()
        ),
    ]


def main() -> int:
    """Do it and tell what was done; return the exit code."""
    try:
        settings = Settings.from_env(os.environ)
        lines = set_up(settings)
    except BadSettings as error:
        print(error, file=sys.stderr)
        return 78
    except (SchemaMismatch, StoreRefused, RedisError) as error:
        print(f"schema: {error}", file=sys.stderr)
        return 2
    print(f"schema {settings.clickhouse_database}:", "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
