"""What a venue can be asked to record: its list of instruments, asked seldom, kept for an hour, and searched here."""

import asyncio
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

from common.clickhouse import Store
from common.clock import monotonic_s
from common.redis_streams import Redis
from common.settings import Settings
from monitoring.doing.deeds import NotDone

KEPT_S = 3600.0
ANSWER_S = 20.0
MOST_BYTES = 64 * 2**20
MOST_FOUND = 50
NEED_KEYS = ("alpaca_stocks_ingester", "alpaca_crypto_ingester")
NO_KEYS = "lists its instruments to those with keys only, and ALPACA_API_KEY or ALPACA_SECRET_KEY is not set"
NO_LIST = "lists no instruments that could be searched"
MARKETS = """
SELECT slug AS symbol, question AS words, if(closed, 'closed', 'open') AS state FROM markets
WHERE (position(lower(slug), {text:String}) > 0 OR position(lower(question), {text:String}) > 0)
ORDER BY closed, volume DESC NULLS LAST LIMIT {limit:UInt32} SETTINGS max_execution_time = 4
"""


@dataclass(frozen=True)
class Listed:
    """An instrument as its venue lists it; `symbol` is what an ingester is told."""

    symbol: str
    words: str
    state: str


@dataclass(frozen=True)
class Source:
    """Where a venue lists what can be traded, and how that is read."""

    url: str
    read: Callable[[Any], list[Listed]]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def source_of(settings: Settings, program: str) -> Source | None:
    """Return where a program's venue lists its instruments, None where it does not."""
    binance = f"{settings.binance_rest_url}/api/v3/exchangeInfo"
    okx = f"{settings.okx_api_base_url}/api/v5/public/instruments?instType=SPOT"
    return {
        "binance_ingester": Source(binance, _of_binance),
        "okx_ingester": Source(okx, _of_okx),
        "upstox_ingester": Source(settings.upstox_instruments_url, _of_upstox),
        "alpaca_stocks_ingester": _alpaca(settings, "us_equity"),
        "alpaca_crypto_ingester": _alpaca(settings, "crypto"),
    }.get(program)


def _alpaca(settings: Settings, kind: str) -> Source | None:
    """Return where Alpaca lists its instruments, to those who have keys: https://docs.alpaca.markets/reference/get-v2-assets."""
    key, secret = settings.alpaca_api_key, settings.alpaca_secret_key
    if key is None or secret is None:
        return None
    headers = {"APCA-API-KEY-ID": key.get_secret_value(), "APCA-API-SECRET-KEY": secret.get_secret_value()}
    return Source(f"{settings.alpaca_trading_url}/v2/assets?status=active&asset_class={kind}", _of_alpaca, headers)


class Listings:
    """The lists of all venues, each asked when somebody searches and it is older than an hour."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kept: dict[str, tuple[float, list[Listed]]] = {}
        self._asking = asyncio.Lock()

    async def search(self, redis: Redis, store: Callable[[], Store], program: str, text: str) -> list[Listed]:
        """
        Return the instruments whose symbol or name has these words, at most MOST_FOUND, exact ones first.

        Raises:
            NotDone: the venue lists none, or could not be asked.
            StoreRefused: for Polymarket, whose markets stand in ClickHouse.
        """
        wanted = text.strip().lower()
        if program == "polymarket_clob_ingester":
            rows = await store().query(MARKETS, {"text": wanted, "limit": MOST_FOUND})
            return [Listed(row["symbol"], row["words"], row["state"]) for row in rows.to_dicts()]
        source = self.source_or_why(program)
        async with self._asking:
            found = await self._listed(redis, program, source)
        return matching(found, wanted)

    def source_or_why(self, program: str) -> Source:
        """Return where a program's venue lists its instruments; raise NotDone where there is no way to ask."""
        source = source_of(self._settings, program)
        if source is None:
            raise NotDone(f"the venue of {program} {NO_KEYS if program in NEED_KEYS else NO_LIST}: paste the symbols")
        return source

    async def _listed(self, redis: Redis, program: str, source: Source) -> list[Listed]:
        kept = self._kept.get(program)
        if kept is not None and monotonic_s() - kept[0] < KEPT_S:
            return kept[1]
        banned_ms = await redis.pttl(f"ban:{{{program.removesuffix('_ingester')}}}")
        if banned_ms > 0:
            raise NotDone(f"the venue wants to be left alone for {banned_ms / 1000:.0f} s more")
        found = await asyncio.to_thread(_fetched, source)
        self._kept[program] = monotonic_s(), found
        return found


def matching(listed: Sequence[Listed], wanted: str) -> list[Listed]:
    """Return what has the words, what is meant most probably first."""
    plain = "".join(filter(str.isalnum, wanted))
    found = [one for one in listed if wanted in f"{one.symbol} {one.words}".lower() or plain in _plain(one.symbol)]
    order = sorted(found, key=lambda one: (_plain(one.symbol) != plain, not _plain(one.symbol).startswith(plain)))
    return order[:MOST_FOUND]


def _plain(symbol: str) -> str:
    return "".join(filter(str.isalnum, symbol.lower()))


def _fetched(source: Source) -> list[Listed]:
    try:
        with requests.get(source.url, headers=source.headers, timeout=ANSWER_S, stream=True) as answer:
            if not answer.ok:
                raise NotDone(f"{source.url} answers HTTP {answer.status_code}")
            body = bytearray()
            for part in answer.iter_content(2**20):
                body += part
                if len(body) > MOST_BYTES:
                    raise NotDone(f"{source.url} answers with more than {MOST_BYTES // 2**20} MiB")
        text = gzip.decompress(bytes(body)) if bytes(body[:2]) == b"\x1f\x8b" else bytes(body)
        return source.read(json.loads(text))
    except (requests.RequestException, OSError, ValueError, KeyError, TypeError) as error:
        raise NotDone(f"{source.url} could not be asked: {type(error).__name__}: {str(error)[:160]}") from error


def _of_binance(answer: Any) -> list[Listed]:  # noqa: ANN401  JSON
    return [
        Listed(str(one["symbol"]), f"{one.get('baseAsset', '')} {one.get('quoteAsset', '')}", _state(one.get("status")))
        for one in answer["symbols"]
    ]


def _of_okx(answer: Any) -> list[Listed]:  # noqa: ANN401  JSON
    return [
        Listed(str(one["instId"]), f"{one.get('baseCcy', '')} {one.get('quoteCcy', '')}", _state(one.get("state")))
        for one in answer["data"]
    ]


def _of_upstox(answer: Any) -> list[Listed]:  # noqa: ANN401  JSON
    return [
        Listed(str(one["instrument_key"]), f"{one.get('trading_symbol', '')} {one.get('name', '')}", one["segment"])
        for one in answer
    ]


def _of_alpaca(answer: Any) -> list[Listed]:  # noqa: ANN401  JSON
    return [
        Listed(str(one["symbol"]), str(one.get("name", "")), str(one.get("exchange", "")).lower())
        for one in answer
        if one.get("tradable")
    ]


def _state(word: object) -> str:
    return str(word or "").lower()
