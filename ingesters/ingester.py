"""What a venue's program works with."""

from dataclasses import dataclass

from common.clock import now_ns
from common.heartbeat import Figures
from common.records import EventKind, FeedEvent
from common.redis_streams import Redis
from common.settings import Settings
from ingesters.allowance import Allowance
from ingesters.sink import Sink
from ingesters.tape import Shelf
from ingesters.venue import Venue

CONNECTION = "connection"


@dataclass
class Ingester:
    """What a venue's program works with; `has_sockets` once it has dialled one, and is heard by them."""

    venue: Venue
    settings: Settings
    redis: Redis
    sink: Sink
    figures: Figures
    allowance: Allowance
    has_sockets: bool = False

    @property
    def shelf(self) -> Shelf:
        """Return where recordings of this venue go."""
        folder = self.settings.data_dir / "recordings" / self.venue.program
        name = self.venue.recorded_as or self.venue.name
        return Shelf(folder, name, self.settings.record_max_bytes, self.settings.secrets)


def connection_event(work: Ingester, kind: EventKind, from_ns: int, detail: str) -> FeedEvent:
    """Return what has happened to a connection, from then until now."""
    now = now_ns()
    return FeedEvent(work.venue.name, "", now, channel=CONNECTION, kind=kind, from_ns=from_ns, to_ns=now, detail=detail)
