"""What the dashboard itself writes into a stream: in order, each once, held here until Redis takes it."""

from collections.abc import Iterable, Mapping

from common.codec import encode
from common.errors import HistoryLost
from common.outbox import Outbox
from common.packet import Packet
from common.packing import pack
from common.records import Record
from common.redis_streams import Redis, shards
from common.settings import Settings
from common.streams import Stream

SOURCE = "dashboard"


class Journal:
    """One stream of the dashboard's; whoever starts later is the one that writes."""

    def __init__(self, redis: Redis, stream: Stream, settings: Settings) -> None:
        self._redis = redis
        self._stream = stream
        self._settings = settings
        self._outbox: Outbox | None = None
        self._waiting: list[Record] = []
        self._open: Packet | None = None

    @property
    def waiting(self) -> int:
        """Return how many records wait to be written."""
        return len(self._waiting)

    def put(self, records: Iterable[Record]) -> None:
        """Take records that are to be written."""
        self._waiting += records

    async def write(self, state: Mapping[str, str] | None = None) -> None:
        """
        Write what waits, and with it strings for `state:<name>`; what fails waits on, unchanged: no record comes twice.

        Raises:
            Fenced: another dashboard has started.
            HistoryLost: Redis has forgotten us; the next try introduces us anew.
            StreamRefused, RedisError: as for any append.
        """
        while self._open or self._waiting:
            outbox = self._outbox or await self.claim()
            if self._open is None:
                entries = pack(encode(one) for one in self._waiting)
                self._open, self._waiting = Packet(outbox.batch + 1, entries, state=state or {}), []
            try:
                await outbox.append(self._open)
            except HistoryLost:
                self._outbox = None
                raise
            self._open = None

    async def claim(self) -> Outbox:
        """Become the one that writes."""
        shard = (await shards(self._redis, self._stream, self._settings))[0]
        outbox = Outbox(self._redis, shard, SOURCE)
        await outbox.claim()
        self._outbox = outbox
        return outbox
