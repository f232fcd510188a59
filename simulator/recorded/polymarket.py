"""Gamma from recordings: every market object that was seen, the newest bytes of each."""

import re
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec

from simulator.markets import Markets
from simulator.venue import UNREADABLE, Session

OK = 200
OF_MARKETS = re.compile("/markets(/keyset|/slug/[^/]+|/[^/]+)?/?")  # there are others below, with the tags of a market


def recorded_markets(session: Session) -> Markets:
    """Return all markets of the recorded pages and single answers, unchanged to the byte."""
    markets = Markets()
    for recorded in session.events:
        path = urlsplit(recorded.address).path
        if recorded.event.direction == "in" and recorded.event.status == OK and OF_MARKETS.fullmatch(path):
            with suppress(*UNREADABLE):  # an answer that is none leads to nothing
                for raw in _objects(recorded.event.body()):
                    with suppress(*UNREADABLE):  # a market that is none
                        markets.put(raw)
    return markets


def _objects(body: bytes) -> list[bytes]:
    if body.lstrip().startswith(b"["):
        return [bytes(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]
    envelope = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    if "markets" in envelope:
        return _objects(bytes(envelope["markets"]))
    return [body]
