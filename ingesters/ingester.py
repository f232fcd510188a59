"""What a venue's program works with."""

from dataclasses import dataclass

from common.clock import now_ns
from common.heartbeat import Figures
from common.records import EventKind, FeedEvent
from common.redis_streams import Redis
from common.settings import Settings
from ingesters.allowance import Allowance
from ingesters.sink import Sink
from ingesters.venue import Venue

CONNECTION = "connection"


@dataclass
class Ingester:
    """What a venue's program works with."""

    venue: Venue
    settings: Settings
    redis: Redis
    sink: Sink
    figures: Figures
    allowance: Allowance


def connection_event(work: Ingester, kind: EventKind, from_ns: int, detail: str) -> FeedEvent:
    """Return what has happened to a connection, from then until now."""
    now = now_ns()
    return FeedEvent(work.venue.name, "", now, channel=CONNECTION, kind=kind, from_ns=from_ns, to_ns=now, detail=detail)
