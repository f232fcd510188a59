"""Connections to Redis, which never repeat a command by themselves and know the password of the day."""

from typing import Any, TypeAlias

from redis import asyncio as driver
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as RedisConnectionError

from common.settings import Settings

# The driver types every reply for both protocol versions at once; the shapes are pinned here, by protocol=2.
Redis: TypeAlias = Any

TIMEOUT_S = 15.0  # above every BLOCK of ours, so that a silent network cut is found


def connect(settings: Settings) -> Redis:
    """
    Return a client that never repeats a command by itself: an append whose reply was lost is ours to repeat.

    Replies are bytes in RESP2 shapes on every server version.
    """
    renewal = settings.renewal("redis_url" if settings.redis_url else "redis_password")
    common: dict[str, Any] = {
        "protocol": 2,
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": 5.0,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
    }
    if settings.redis_url is not None:
        if settings.redis_ca_file is not None:
            common["ssl_ca_certs"] = str(settings.redis_ca_file)
        return _wary(driver.Redis.from_url(settings.redis_url, **common), renewal)
    client = driver.Redis(
        host=settings.redis_host or "127.0.0.1",
        port=settings.redis_port,
        db=settings.redis_db,
        credential_provider=_Credentials(settings) if settings.redis_password else None,
        **common,
    )
    return _wary(client, renewal)


class _Credentials(CredentialProvider):
    """The password as it is when a connection is made."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def get_credentials(self) -> tuple[str, str]:
        return self._settings.redis_user, self._settings.secret("redis_password")

    async def get_credentials_async(self) -> tuple[str, str]:
        return self.get_credentials()


def _wary(client: Redis, renewal: str) -> Redis:
    """
    Return the client; its connections say so when they are cut: uvloop raises a RuntimeError for the next write.

    When the server does not take the password, `renewal` tells what is to be done.
    """

    class Wary(client.connection_pool.connection_class):  # type: ignore[misc]
        async def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: ANN401, FBT001, FBT002  (the driver's signature)
            try:
                await super().send_packed_command(command, check_health)
            except RuntimeError as error:
                raise RedisConnectionError(str(error)) from error

        async def on_connect_check_health(self, check_health: bool = True) -> None:  # noqa: FBT001, FBT002  (as above)
            try:
                await super().on_connect_check_health(check_health)
            except AuthenticationError as error:
                raise AuthenticationError(f"{str(error).rstrip('.')}: {renewal}") from error

    client.connection_pool.connection_class = Wary
    return client
