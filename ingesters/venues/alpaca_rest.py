"""Alpaca's REST side: where to ask for trades, with what signature, and what the answers are."""

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from common.settings import Settings
from ingesters.venues.alpaca_market import Market
from ingesters.venues.alpaca_wire import AnyBar, AnyTrade


class RestTrade(AnyTrade, gc=False, kw_only=True):
    """One match, by REST; `u` says what became of it since."""

    u: str = ""


class Page(msgspec.Struct, gc=False):
    """A page of trades by REST, symbol by symbol."""

    trades: dict[str, list[RestTrade]] | None
    next_page_token: str | None = None


class BarPage(msgspec.Struct, gc=False):
    """A page of minute bars by REST, symbol by symbol."""

    bars: dict[str, list[AnyBar]] | None
    next_page_token: str | None = None


class Refusal(msgspec.Struct, gc=False):
    """The body of a refusal by REST."""

    message: str = ""


PAGE = msgspec.json.Decoder(Page)
BARS = msgspec.json.Decoder(BarPage)
_refusal = msgspec.json.Decoder(Refusal).decode
SAID_BYTES = 200


def said(payload: bytes) -> str:
    """Return the words of a refusal."""
    try:
        return _refusal(payload).message
    except msgspec.MsgspecError:
        return payload[:SAID_BYTES].decode(errors="replace")


def trades_url(settings: Settings, market: Market, span: tuple[str, str], symbols: Sequence[str], token: str) -> str:
    """Return where to ask for a page of trades of a stretch, both ends included."""
    return _url(settings, market, market.rest_path, span, symbols, token)


def bars_url(settings: Settings, market: Market, span: tuple[str, str], symbols: Sequence[str], token: str) -> str:
    """Return where to ask for a page of minute bars of a stretch, both ends included."""
    path = market.rest_path.replace("/trades", "/bars")
    return _url(settings, market, path, span, symbols, token) + "&timeframe=1Min"


def _url(
    settings: Settings, market: Market, path: str, span: tuple[str, str], symbols: Sequence[str], token: str
) -> str:
    names = quote(",".join(symbols), safe="/")
    feed = f"&feed={market.rest_feed}" if market.rest_feed else ""
    page = f"&page_token={quote(token)}" if token else ""
    base = f"{settings.alpaca_rest_url}{path}?symbols={names}"
    return f"{base}&start={span[0]}&end={span[1]}&limit=10000&sort=asc{feed}{page}"


def headers(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Return what signs a question."""
    key, secret = keys(settings)
    return (("APCA-API-KEY-ID", key), ("APCA-API-SECRET-KEY", secret))


def keys(settings: Settings) -> tuple[str, str]:
    """Return both keys; the program does not run without them."""
    both = settings.alpaca_api_key, settings.alpaca_secret_key
    first, second = (key.get_secret_value() if key else "" for key in both)
    return first, second
