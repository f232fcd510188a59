"""A chain with fills, a node that misbehaves, and a feed with its streams."""

import json
from itertools import count

from common.errors import BadAnswer
from common.records import DeadLetter, FeedEvent, OrderEvent
from common.settings import Settings
from ingesters.feed import Checkpoint, Fetch, Frame, Resume, hear
from ingesters.venues.polygon import PolygonFeed
from simulator.chain import SECOND_VERSION, Chain
from simulator.node import Node, View
from tests.chain_kit import standing

FIRST_BLOCK = 85_000_000
START_S = 1_790_000_000
BLOCK_S = 2
TOKEN = "114856201873541567677341731370365137173235058495071385195611596664202155739948"
URL = "http://node.example"


def fill(number, *, buys=True, taker=None, usd=500_000, shares=1_000_000, transaction=None):
    gives, gets = ("0", TOKEN) if buys else (TOKEN, "0")
    amounts = (usd, shares) if buys else (shares, usd)
    return {
        "transactionHash": f"0x{transaction or number:064x}",
        "orderHash": f"0x{number:064x}",
        "maker": f"0x{number:040x}",
        "taker": taker or f"0x{7:040x}",
        "makerAssetId": gives,
        "takerAssetId": gets,
        "makerAmountFilled": str(amounts[0]),
        "takerAmountFilled": str(amounts[1]),
        "fee": "0",
    }


def match(number, makers=1):
    """Return a transaction: the fills of some makers, and then that of the taker."""
    made = [fill(number * 10 + index, transaction=number) for index in range(makers)]
    taker = SECOND_VERSION[number % 2]
    return [*made, fill(number * 10 + 9, buys=False, taker=taker, transaction=number)]


def event_id(told):
    return f"{told['transactionHash']}_{told['orderHash']}"


class World:
    """A chain that grows, forks and answers."""

    def __init__(self, **chosen):
        self.chain = Chain(FIRST_BLOCK, **chosen)
        self.numbers = count(1)
        self.view = View()
        self.node = Node(self.chain)

    def mine(self, *transactions):
        second = START_S + (self.chain.head + 1 - FIRST_BLOCK) * BLOCK_S
        return self.chain.mine(transactions, second)

    def grow(self, blocks=1, matches=1):
        for _ in range(blocks):
            self.mine(*(match(next(self.numbers)) for _ in range(matches)))

    def ids(self, until=None):
        """Return the ids of all fills on the chain, in its order."""
        return [event_id(told) for told in self.chain.fills(self.chain.head if until is None else until)]


class Recorder:
    """A feed and its stream: what an answer means is appended with its state, as one."""

    def __init__(self, world, **chosen):
        self.world = world
        self.settings = Settings(polygon_rpc_url=URL, **{"polygon_start_block": FIRST_BLOCK, **chosen})
        self.state, self.records, self.asked = {}, [], []
        self.now_ns = START_S * 10**9
        self.start()

    def start(self):
        """Begin as a new process would, with nothing but the kept state."""
        self.feed = PolygonFeed(self.settings, Resume(dict(self.state)))
        (self.fetch,) = (step for step in self.feed.opening() if isinstance(step, Fetch))

    def turn(self, *, view=None, payload=None, status=200):
        """Let the question that is under way be answered; return whether the answer was one."""
        self.now_ns += int(self.fetch.after_s * 10**9)
        self.asked.append(self.fetch)
        body = self.world.node.answer(self.fetch.body, view or self.world.view) if payload is None else payload
        try:
            steps = hear(self.feed, Frame(self.now_ns, body, reply_to=self.fetch.key, status=status))
        except BadAnswer:
            self.now_ns += 5 * 10**8
            return False
        for step in steps:
            match step:
                case Fetch():
                    self.fetch = step
                case Checkpoint():
                    self.state |= step.state
                case OrderEvent() | FeedEvent() | DeadLetter():
                    self.records.append(step)
        return True

    def catch_up(self):
        """Answer until there is nothing more to do but wait for a block."""
        for _ in range(10_000):
            self.turn()
            if self.fetch.after_s >= self.settings.polygon_poll_s:
                return
        raise AssertionError("the feed never comes to rest")

    def ids(self):
        return [record.event_id for record in self.records if isinstance(record, OrderEvent)]

    def standing(self):
        return standing(self.records)

    def told(self, *kinds):
        return [event for event in self.records if isinstance(event, FeedEvent) and (not kinds or event.kind in kinds)]

    def ranges(self):
        """Return the ranges of blocks whose logs were asked for."""
        found = []
        for fetch in self.asked:
            body = json.loads(fetch.body)
            for call in body if isinstance(body, list) else [body]:
                if call["method"] == "eth_getLogs":
                    (asked,) = call["params"]
                    found.append((int(asked["fromBlock"], 16) - FIRST_BLOCK, int(asked["toBlock"], 16) - FIRST_BLOCK))
        return found
