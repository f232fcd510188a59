"""Whether a venue can be reached from here, and with which delay: one small question, and its socket's door."""

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from common.clock import monotonic_s
from common.settings import Settings

ANSWER_S = 8.0
OK = 400  # below it, a venue has answered


@dataclass(frozen=True)
class Tried:
    """What was tried, how it ended, and how long that took."""

    what: str
    words: str
    is_well: bool
    took_ms: float


def doors_of(settings: Settings) -> Mapping[str, tuple[str, ...]]:
    """Return the addresses that each program talks to, none where none is set."""
    one = settings
    doors: Mapping[str, tuple[str | None, ...]] = {
        "binance_ingester": (f"{one.binance_rest_url}/api/v3/ping", one.binance_ws_url),
        "okx_ingester": (f"{one.okx_api_base_url}/api/v5/public/time", one.okx_ws_url),
        "polymarket_ingester": (f"{one.polymarket_gamma_url}/markets?limit=1",),
        "polymarket_clob_ingester": (f"{one.polymarket_gamma_url}/markets?limit=1", one.polymarket_ws_url),
        "goldsky_ingester": (one.goldsky_url,),
        "polygon_ingester": (one.polygon_rpc_url,),
        "alpaca_stocks_ingester": (one.alpaca_rest_url, one.alpaca_ws_url),
        "alpaca_crypto_ingester": (one.alpaca_rest_url, one.alpaca_ws_url),
        "upstox_ingester": (one.upstox_api_url,),
    }
    return {program: tuple(door for door in theirs if door) for program, theirs in doors.items()}


async def tried(settings: Settings, program: str) -> Sequence[Tried]:
    """Return how each address of a program answers now; nothing for one that is not known."""
    return await asyncio.gather(*(asyncio.to_thread(_try, door) for door in doors_of(settings).get(program, ())))


def _try(door: str) -> Tried:
    start_s = monotonic_s()
    parts = urlsplit(door)
    what = f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"  # behind it may be a key
    try:
        words, is_well = _knock(door) if parts.scheme in ("http", "https") else _open(door)
    except (OSError, requests.RequestException) as error:
        words, is_well = _reason(error), False
    return Tried(what, words, is_well, (monotonic_s() - start_s) * 1000)


def _knock(door: str) -> tuple[str, bool]:
    with requests.get(door, timeout=ANSWER_S, stream=True) as answer:
        told = answer.status_code
    if told < OK:
        return f"answers (HTTP {told})", True
    if told in (401, 403, 404, 405):  # it is there, and wants a key or another question
        return f"is there (HTTP {told} without a key)", True
    return f"refuses: HTTP {told}", False


def _open(door: str) -> tuple[str, bool]:
    parts = urlsplit(door)
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    with socket.create_connection((parts.hostname or "", port), timeout=ANSWER_S) as line:
        if parts.scheme == "wss":
            with ssl.create_default_context().wrap_socket(line, server_hostname=parts.hostname):
                return "its socket opens (TLS)", True
    return "its socket opens", True


def _reason(error: Exception) -> str:
    text = str(error).lower()
    if "name or service" in text or "resolve" in text or "temporary failure in name" in text:
        return "its name cannot be resolved: no network, or no DNS"
    if "refused" in text:
        return "refuses the connection"
    return "does not answer in time" if "timed out" in text else type(error).__name__
