"""Every setting on one page: environment over `.env` over these defaults; all problems are named at once."""

import os.path
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from common.book_stat import BANDS_BPS, IMBALANCE_LEVELS, NOTIONALS
from common.errors import BadSettings

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _words(value: object) -> object:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def _address(schemes: tuple[str, ...]) -> AfterValidator:
    def check(value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError(f"expected {' or '.join(f'{scheme}://host' for scheme in schemes)}, found {value!r}")
        return value.rstrip("/")

    return AfterValidator(check)


def _some_of(known: Iterable[object]) -> AfterValidator:
    names = tuple(map(str, known))

    def check(words: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [word for word in words if word not in names]
        if unknown or not words:
            raise ValueError(f"expected some of {','.join(names)}, found {','.join(unknown) or 'none'}")
        return words

    return AfterValidator(check)


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Histories = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[A-Z0-9-_.]{1,20}(@trade|@aggTrade)?:[0-9]{1,18}$")], ...],
    BeforeValidator(_words),
]
HttpUrl = Annotated[str, _address(("http", "https"))]
WsUrl = Annotated[str, _address(("ws", "wss"))]
Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(BaseModel):
    """What the operator chose. Names are the environment's in lower case; units are in the name."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    _files: dict[str, Path] = PrivateAttr(default_factory=dict)  # that values were read from

    data_dir: Path = Path("data")
    log_dir: Path = Path("logs")
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"

    redis_host: str | None = None  # unset: the embedded server
    redis_port: Port = 6379
    redis_db: Annotated[int, Field(ge=0)] = 0
    redis_user: str = "default"
    redis_password: SecretStr | None = None
    redis_url: Annotated[str, _address(("redis", "rediss", "unix"))] | None = None
    redis_ca_file: Path | None = None  # of a rediss:// server whose certificate is not a public one
    redis_appendfsync: Annotated[str, Field(pattern="^(always|everysec|no)$")] = "everysec"
    redis_maxmemory_bytes: Annotated[int, Field(ge=64 * 2**20)] = 2 * 2**30

    clickhouse_host: str | None = None  # unset: the embedded engine
    clickhouse_port: Port = 8123
    clickhouse_user: str = "default"
    clickhouse_password: SecretStr = SecretStr("")
    clickhouse_secure: bool = False  # HTTPS
    clickhouse_ca_file: Path | None = None
    clickhouse_database: Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")] = "tickfleet"

    embedded_passwords: bool = False  # the embedded servers let in each kind of program under a password of its own

    dashboard_host: str = "127.0.0.1"
    dashboard_port: Port = 8000
    dashboard_password: SecretStr | None = None  # who knows it may act
    dashboard_reader_password: SecretStr | None = None  # who knows this one may look

    notification_url: HttpUrl | None = None  # a webhook: alerts, and how many rows have come to stand
    notification_every_s: Annotated[float, Field(gt=0)] = 60.0
    telegram_token: SecretStr | None = None
    telegram_chat_id: str | None = None
    telegram_url: HttpUrl = "https://api.telegram.org"
    notify_urls: SecretStr | None = None  # addresses of Apprise, separated by commas
    alert_lag_s: Annotated[float, Field(gt=0)] = 30.0
    alert_gaps_per_10_min: Annotated[int, Field(ge=1)] = 20
    alert_disk_free: Annotated[float, Field(ge=0, le=1)] = 0.1
    alert_clock_skew_s: Annotated[float, Field(gt=0)] = 0.25

    books_shards: Annotated[int, Field(ge=1, le=256)] = 4
    book_stats_ms: Annotated[int, Field(ge=10, le=60_000)] = 100  # books are read off so often while they change
    book_stale_s: Annotated[float, Field(gt=0)] = 300.0  # and told no more after such a silence
    book_top_s: Annotated[int, Field(ge=1)] = 1  # the best 20 levels as a snapshot
    book_whole_s: Annotated[int, Field(ge=1)] = 60  # and all that are known
    # What is asked of a book: distances from the mid, amounts to trade, numbers of levels. Other columns are null.
    book_bands_bps: Annotated[Words, _some_of(BANDS_BPS)] = tuple(map(str, BANDS_BPS))
    book_notionals: Annotated[Words, _some_of(NOTIONALS)] = tuple(NOTIONALS)
    book_levels: Annotated[Words, _some_of(IMBALANCE_LEVELS)] = tuple(map(str, IMBALANCE_LEVELS))
    writer_linger_ms: Annotated[int, Field(ge=0, le=10_000)] = 100
    trade_processors: Annotated[int, Field(ge=1, le=64)] = 1
    book_processors: Annotated[int, Field(ge=1, le=64)] = 1
    bar_processors: Annotated[int, Field(ge=1, le=64)] = 1
    clickhouse_writers: Annotated[int, Field(ge=1, le=64)] = 1

    polymarket_enabled: bool = True
    polymarket_gamma_url: HttpUrl = "https://gamma-api.polymarket.com"
    polymarket_poll_s: Annotated[float, Field(gt=0)] = 30.0
    polymarket_clob_enabled: bool = True
    polymarket_clob_url: HttpUrl = "https://clob.polymarket.com"
    polymarket_ws_url: WsUrl = "wss://ws-subscriptions-clob.polymarket.com"
    polymarket_markets: Words = ("top:50",)  # slugs, condition ids, tokens, or top:N by volume

    goldsky_enabled: bool = True
    goldsky_url: HttpUrl = (
        "https://api.goldsky.com/api/public/project_cl6mb8i9h0003e201j6li0diw/subgraphs/orderbook-subgraph/0.0.1/gn"
    )
    goldsky_start_timestamp: Annotated[int, Field(ge=0)] = 0  # seconds since the epoch, where the walk begins
    goldsky_poll_s: Annotated[float, Field(gt=0)] = 5.0
    goldsky_lag_s: Annotated[float, Field(gt=0)] = 600.0  # a head older than this is called stale

    polygon_enabled: bool = True  # when POLYGON_RPC_URL is set
    polygon_rpc_url: HttpUrl | None = None
    polygon_start_block: Annotated[int, Field(ge=0)] | None = None  # unset: the newest one at the first start
    polygon_confirmations: Annotated[int, Field(ge=0)] = 5  # blocks on top before one is believed
    polygon_poll_s: Annotated[float, Field(gt=0)] = 2.0

    binance_enabled: bool = True
    binance_ws_url: WsUrl = "wss://stream.binance.com:9443"
    binance_rest_url: HttpUrl = "https://api.binance.com"
    binance_symbols: Words = ("BTCUSDT", "ETHUSDT")
    binance_depth_levels: Annotated[int, Field(ge=1, le=5000)] = 1000
    binance_book_refresh_s: Annotated[float, Field(ge=10)] = 300.0  # a new snapshot, for levels no delta has told of
    binance_history_from_id: Histories = ()  # trades from an id on, before the stream: BTCUSDT:1000
    binance_mute_s: Annotated[float, Field(gt=0)] = 120.0  # a socket with nothing but pings is dialled again
    binance_hot_spare: bool = False  # two sockets for each: a planned reconnect costs no message

    okx_enabled: bool = True
    okx_api_base_url: HttpUrl = "https://www.okx.com"
    okx_ws_url: WsUrl = "wss://ws.okx.com"  # port 8443 was closed in October 2026
    okx_symbols: Words = ("BTC-USDT", "ETH-USDT")
    okx_books_full_interval_s: Annotated[float, Field(gt=0)] = 60.0  # a 5000-level book by REST for each symbol
    okx_mute_s: Annotated[float, Field(gt=0)] = 120.0
    okx_hot_spare: bool = False

    alpaca_stocks_enabled: bool = True  # when ALPACA_API_KEY and ALPACA_SECRET_KEY are set
    alpaca_crypto_enabled: bool = True
    alpaca_api_key: SecretStr | None = None
    alpaca_secret_key: SecretStr | None = None
    alpaca_ws_url: WsUrl = "wss://stream.data.alpaca.markets"
    alpaca_rest_url: HttpUrl = "https://data.alpaca.markets"
    alpaca_trading_url: HttpUrl = "https://paper-api.alpaca.markets"  # lists instruments; live keys: api.alpaca.markets
    alpaca_stocks_feed: Annotated[str, Field(pattern="^(iex|sip|delayed_sip|boats|overnight|test)$")] = "iex"
    alpaca_stocks_symbols: Words = ("SPY", "AAPL")
    alpaca_crypto_symbols: Words = ("BTC/USD", "ETH/USD")
    alpaca_codec: Annotated[str, Field(pattern="^(json|msgpack)$")] = "json"  # prices in JSON are exactly as written
    alpaca_mute_s: Annotated[float, Field(gt=0)] = 300.0  # while the market is open

    upstox_enabled: bool = True  # when UPSTOX_ACCESS_TOKEN or UPSTOX_TOKEN_URL is set
    upstox_access_token: SecretStr | None = None
    upstox_token_url: HttpUrl | None = None
    upstox_api_url: HttpUrl = "https://api.upstox.com"
    upstox_instruments_url: HttpUrl = "https://assets.upstox.com/market-quote/instruments/exchange/complete.json.gz"
    upstox_instrument_keys: Words = ("NSE_INDEX|Nifty 50", "NSE_INDEX|Nifty Bank")
    upstox_mode: Annotated[str, Field(pattern="^(ltpc|full|option_greeks|full_d30)$")] = "full"
    upstox_connections: Annotated[int, Field(ge=1, le=5)] = 1  # for more keys than one takes, as far as the plan allows
    upstox_history_from: date | None = None  # candles of a minute of all keys from this day on, once
    upstox_mute_s: Annotated[float, Field(gt=0)] = 60.0  # silence while a market of ours is open

    backfill_max_s: Annotated[float, Field(ge=0)] = 86_400.0  # a stretch that is longer is told, not fetched again
    copy_format: Literal["parquet", "csv"] | None = None  # unset: no copy; else trades, quotes and bars in dated files
    copy_dir: Path | None = None  # DATA_DIR/copy
    copy_linger_s: Annotated[float, Field(ge=0)] = 60.0  # how long a file waits for company: one a minute
    record: Words = ()  # programs whose venue is recorded byte for byte, e.g. okx_ingester
    record_max_bytes: Annotated[int, Field(ge=2**27)] = 4 * 2**30  # of each program's recordings; the oldest go
    spool_max_bytes: Annotated[int, Field(ge=2**20)] = 2**30  # of each ingester, on disk while Redis cannot take it
    spool_max_age_s: Annotated[float, Field(gt=0)] = 86_400.0

    @field_validator("dashboard_password")
    @classmethod
    def _guarded(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        _check_filled(password)
        host = info.data.get("dashboard_host", LOOPBACK[0])
        if password is None and host not in LOOPBACK:
            raise ValueError(f"DASHBOARD_HOST={host} is reachable from outside: set a password, or 127.0.0.1")
        return password

    @field_validator("dashboard_reader_password")
    @classmethod
    def _lesser(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        _check_filled(password)
        if password is not None and password == info.data.get("dashboard_password"):
            raise ValueError("expected another password than DASHBOARD_PASSWORD: who knows that one may act")
        return password

    @field_validator("binance_symbols")
    @classmethod
    def _some(cls, symbols: Words, info: ValidationInfo) -> Words:
        if not symbols and info.data.get("binance_enabled"):
            raise ValueError("expected at least one symbol, or BINANCE_ENABLED=false")
        return symbols

    @classmethod
    def from_env(cls, environ: Mapping[str, str], env_file: Path = Path(".env")) -> Self:
        """
        Return the settings of an environment and a `.env` file (which need not be there).

        A value may be named by a file: `REDIS_PASSWORD_FILE=/run/secrets/redis` sets REDIS_PASSWORD to its contents.

        Raises:
            BadSettings: everything that is wrong, each with its name, what was expected and what was found.
        """
        named = {**_env_file(env_file), **environ}
        problems: list[str] = []
        values: dict[str, Any] = {}
        for field in cls.model_fields:
            value = _value(field.upper(), named, problems)
            if value is not None:
                values[field] = value
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            problems += [_worded(dict(fact), values) for fact in error.errors(include_url=False)]
        else:
            if not problems:
                return settings.read_from({name: named.get(f"{name.upper()}_FILE", "") for name in values})
        raise BadSettings(problems)

    def symbols_of(self, program: str) -> Words | None:
        """Return the symbols that an ingester is to record, None if it has none of one's choice."""
        name = program.removesuffix("_ingester")
        field = {"polymarket_clob": "polymarket_markets", "upstox": "upstox_instrument_keys"}.get(
            name, f"{name}_symbols"
        )
        chosen: Words | None = getattr(self, field, None)
        return chosen

    def read_from(self, files: Mapping[str, str]) -> Self:
        """Remember in which files values stand, "" for those that stand in none."""
        self._files |= {name: Path(file) for name, file in files.items() if file}
        return self

    def secret(self, name: str) -> str:
        """Return a secret as it is by now, "" for none: where a file holds it, it may have been changed since."""
        with suppress(OSError, UnicodeDecodeError):  # it is being written anew: the one that was read is as good
            if name in self._files:
                return self._files[name].read_text(encoding="utf-8").strip()
        value: SecretStr | None = getattr(self, name)
        return value.get_secret_value() if value else ""

    def renewal(self, name: str) -> str:
        """Return what is to be done when a server does not take a secret any more."""
        if name in self._files:
            return f"put the right one into {name.upper()}_FILE={self._files[name]}: it is read again with every try"
        return f"set {name.upper()} and restart this program, or name a file in {name.upper()}_FILE: that is read again"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the texts that must never be seen in a log, a recording or a page."""
        values = [getattr(self, name) for name in type(self).model_fields]
        texts = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
        where = urlsplit(self.polygon_rpc_url or "")  # an endpoint's key is a part of its address
        return tuple(text for text in (*texts, where.path.strip("/"), where.query) if text)

    @property
    def embedded_redis(self) -> bool:
        """Return whether start.sh runs Redis for us."""
        return self.redis_host is None and self.redis_url is None

    @property
    def embedded_clickhouse(self) -> bool:
        """Return whether start.sh runs ClickHouse for us."""
        return self.clickhouse_host is None


def _check_filled(password: SecretStr | None) -> None:
    """Raise ValueError for a password that everybody knows: that of an empty file."""
    if password is not None and not password.get_secret_value():
        raise ValueError("expected a password, found nothing")


def _env_file(path: Path) -> dict[str, str]:
    try:
        if not os.path.lexists(path):
            return {}
        path.read_text(encoding="utf-8")  # dotenv_values would swallow what cannot be read
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings([f"{path}: cannot be read: {error}; mend it or take it away"]) from error
    return {name: value for name, value in dotenv_values(path, interpolate=False).items() if value is not None}


def _value(name: str, named: Mapping[str, str], problems: list[str]) -> str | None:
    """Return the text of a setting; an empty one counts as not set, as in `REDIS_PASSWORD=`."""
    file = named.get(f"{name}_FILE")
    if not file:
        return named.get(name) or None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{name}_FILE={file}: cannot be read: {error}")
        return None


def _worded(fact: dict[str, Any], values: Mapping[str, Any]) -> str:
    message = str(fact["msg"]).removeprefix("Value error, ")
    if not fact["loc"]:
        return message
    field = str(fact["loc"][0])
    is_secret = any(word in field for word in ("password", "key", "token", "rpc_url"))
    found = "" if is_secret else f", found {values.get(field)!r}"
    return f"{field.upper()}: {message}{'' if 'found' in message else found}"
