"""Redis and ClickHouse as start.sh and stop.sh ask them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from common.clickhouse import connect as connect_clickhouse
from common.errors import StoreRefused
from common.redis_streams import Redis, RedisError
from common.redis_streams import connect as connect_redis
from common.settings import Settings
from common.tables import ACTION_ROWS, ALERT_ROWS, DEAD_LETTER_ROWS, FEED_EVENT_ROWS, KEY_FIGURE_ROWS, TABLES
from embedded.redis_binary import FULL_FUNCTION
from launch.report import CannotStart

T = TypeVar("T")
NOT_OF_A_VENUE = tuple(
    table.name for table in (FEED_EVENT_ROWS, DEAD_LETTER_ROWS, ALERT_ROWS, ACTION_ROWS, KEY_FIGURE_ROWS)
)


@dataclass(frozen=True)
class RedisFacts:
    """What a Redis server tells of itself."""

    version: str
    policy: str
    appends: bool

    def check(self, address: str) -> list[str]:
        """Return warnings; raise CannotStart when the server would throw records away."""
        if self.policy != "noeviction":
            raise CannotStart(
                f"redis {address} has maxmemory-policy {self.policy} and would throw records away when it is full: "
                "redis-cli config set maxmemory-policy noeviction"
            )
        warnings = []
        if tuple(int(part) for part in self.version.split(".")[:2]) < FULL_FUNCTION:
            warnings.append(f"redis {self.version} is older than 7.0: when its memory is full, reading stops too")
        if not self.appends:
            warnings.append(f"redis {address} has appendonly off: what it confirmed is lost when it restarts")
        return warnings


def ask_redis(settings: Settings, question: Callable[[Redis], Awaitable[T]]) -> T:
    """Return the answer to one question, over a connection of its own."""

    async def ask() -> T:
        async with connect_redis(settings) as redis:
            return await question(redis)

    return asyncio.run(ask())


def redis_address(settings: Settings) -> str:
    """Return where Redis is, without the password that a URL may carry."""
    if settings.redis_url is None:
        return f"{settings.redis_host or '127.0.0.1'}:{settings.redis_port}"
    parts = urlsplit(settings.redis_url)
    return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or parts.path


def clickhouse_address(settings: Settings) -> str:
    """Return where ClickHouse is."""
    return f"{settings.clickhouse_host or '127.0.0.1'}:{settings.clickhouse_port}"


async def redis_facts(redis: Redis) -> RedisFacts:
    """Return what the server tells of itself; raise RedisError when it does not answer or lets nobody in."""
    await redis.ping()  # refused while it loads its record, when its other answers are not its own yet
    info = await redis.info()
    return RedisFacts(str(info["redis_version"]), str(info["maxmemory_policy"]), appends=bool(info["aof_enabled"]))


def check_own_redis(settings: Settings) -> RedisFacts:
    """Return the facts of the operator's own server; raise CannotStart when it does not answer."""
    try:
        return ask_redis(settings, redis_facts)
    except (RedisError, OSError) as error:
        raise CannotStart(
            f"redis {redis_address(settings)} does not answer ({error}): start it, mend REDIS_HOST, REDIS_PORT or "
            "REDIS_PASSWORD, or unset REDIS_HOST and REDIS_URL to have one embedded"
        ) from error


def clickhouse_version(settings: Settings) -> str:
    """Return the version of the server; raise StoreRefused when it does not answer or lets nobody in."""
    client = connect_clickhouse(settings, database="default")
    try:
        return str(client.server_version)
    finally:
        client.close()


def check_own_clickhouse(settings: Settings) -> str:
    """Return the version of the operator's own server; raise CannotStart when it does not answer."""
    try:
        return clickhouse_version(settings)
    except StoreRefused as error:
        raise CannotStart(
            f"clickhouse {clickhouse_address(settings)} does not answer ({error.reason}): start it, mend "
            "CLICKHOUSE_HOST, CLICKHOUSE_PORT or CLICKHOUSE_PASSWORD, or unset CLICKHOUSE_HOST to have one embedded"
        ) from error


def rows_by_table(settings: Settings) -> Mapping[str, int]:
    """Return how many rows each table holds; raise StoreRefused when ClickHouse does not answer."""
    client = connect_clickhouse(settings, database="default")
    try:
        answer = client.query(
            "SELECT name, total_rows FROM system.tables "
            "WHERE database = {database:String} AND name IN {names:Array(String)}",
            parameters={"database": settings.clickhouse_database, "names": [table.name for table in TABLES]},
        )
        return {str(name): int(rows or 0) for name, rows in answer.result_rows}
    finally:
        client.close()


def has_record(rows: Mapping[str, int]) -> bool:
    """Return whether the tables hold anything that a venue, real or simulated, has said."""
    return any(count > 0 for name, count in rows.items() if name not in NOT_OF_A_VENUE)
