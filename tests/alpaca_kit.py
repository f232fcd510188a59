"""What Alpaca's tests share: a feed that has subscribed, and the frames around it."""

import json

import msgspec

from common.records import Trade
from common.settings import Settings
from ingesters.feed import Checkpoint, Frame, Resume, Send, hear
from ingesters.venues.alpaca import crypto_feed, stocks_feed
from ingesters.venues.alpaca_time import rfc3339

SECOND_NS = 10**9
NOON_NS = 1_723_132_800 * SECOND_NS  # Thursday 2024-08-08, 12:00 in New York
KEYS = {"alpaca_api_key": "key", "alpaca_secret_key": "secret"}
GREETING = b'[{"T":"success","msg":"connected"}]'
WELCOME = b'[{"T":"success","msg":"authenticated"}]'


def settings(**changes):
    return Settings(**{**KEYS, "alpaca_stocks_symbols": "AAPL", "alpaca_crypto_symbols": "BTC/USD", **changes})


class Talk:
    """One connection of a feed to a venue that does what it is told; what survives it is in `state`."""

    def __init__(self, state=None, *, is_crypto=False, **changes):
        self.state = {} if state is None else state
        make = crypto_feed if is_crypto else stocks_feed
        self.feed = make(settings(**changes), Resume(dict(self.state)))
        self.opened = list(self.feed.opening())
        self.records = []
        self.sent = []
        self.steps = []
        self._channels = {}

    def hear(self, payload, at_ns=NOON_NS, reply_to=None, status=200):
        """Let the feed hear bytes, or JSON; keep what it yields, whole."""
        payload = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        steps = hear(self.feed, Frame(at_ns, payload, reply_to=reply_to, status=status))
        self.steps += steps
        for step in steps:
            if isinstance(step, Checkpoint):
                self.state |= step.state
            elif isinstance(step, Send):
                self.sent.append(json.loads(step.payload))
            elif isinstance(step, msgspec.Struct):
                self.records.append(step)
        return steps

    def sign_in(self, at_ns=NOON_NS):
        """Greet, welcome, and acknowledge every command."""
        self.hear(GREETING, at_ns)
        self.hear(WELCOME, at_ns)
        self.obey(at_ns)
        return self

    def obey(self, at_ns=NOON_NS):
        """Acknowledge commands with the whole list, until there are no more."""
        done = 1
        while done < len(self.sent):
            for command in self.sent[done:]:
                self._carry_out(command)
            done = len(self.sent)
            self.hear([{"T": "subscription", **{name: sorted(some) for name, some in self._channels.items()}}], at_ns)

    def of(self, kind):
        return [record for record in self.records if isinstance(record, kind)]

    def trade_ids(self):
        return [record.trade_id for record in self.of(Trade)]

    def _carry_out(self, command):
        for name, symbols in command.items():
            if name != "action":
                had = self._channels.setdefault(name, set())
                self._channels[name] = had | set(symbols) if command["action"] == "subscribe" else had - set(symbols)


def trade(number, at_ns, symbol="AAPL", exchange="V", **more):
    return {"T": "t", "S": symbol, "i": number, "x": exchange, "p": 171.25, "s": 100, "t": rfc3339(at_ns)} | more


def quote(at_ns, symbol="AAPL"):
    sides = {"bp": 171.2, "bs": 1, "ap": 171.3, "as": 2}
    return {"T": "q", "S": symbol, "bx": "V", "ax": "V", **sides, "c": ["R"], "z": "C", "t": rfc3339(at_ns)}


def row(number, at_ns, exchange="V", **more):
    return {"t": rfc3339(at_ns), "x": exchange, "p": 171.25, "s": 100, "c": ["@"], "i": number, "z": "C"} | more
