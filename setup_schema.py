"""Create and migrate the schema; safe to run twice, and from several hosts at once."""

import asyncio
import os
import sys

from common.clickhouse import Store, connect
from common.errors import BadSettings, SchemaMismatch, StoreRefused
from common.redis_streams import RedisError, continue_offsets
from common.redis_streams import connect as connect_redis
from common.schema import apply, migrations, offsets_stored
from common.settings import Settings
from common.tables import TABLES


async def _continue(settings: Settings) -> dict[str, int]:
    """Let shards that Redis does not know (a new or lost volume) count on from what the tables hold."""
    redis = connect_redis(settings)
    try:
        return await continue_offsets(redis, await offsets_stored(Store(connect(settings))), settings)
    finally:
        await redis.aclose()


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
    names = ", ".join(migration.name for migration in applied) or "nothing to do"
    return [
        f"schema {settings.clickhouse_database}: version {len(migrations())}, {len(TABLES)} tables; applied: {names}",
        *(
            f"{key}: Redis has no record of it, counting on from {offset} as ClickHouse holds"
            for key, offset in continued.items()
        ),
    ]


def main() -> int:
    """Do it and tell what was done; return the exit code."""
    try:
        lines = set_up(Settings.from_env(os.environ))
    except BadSettings as error:
        print(error, file=sys.stderr)
        return 78
    except (SchemaMismatch, StoreRefused, RedisError) as error:
        print(f"schema: {error}", file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
