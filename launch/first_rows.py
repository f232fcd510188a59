"""The first rows of a start: the proof that it records."""

import os
import time
from collections.abc import Mapping

from common.clock import monotonic_s
from common.errors import StoreRefused
from common.settings import Settings
from launch import servers
from launch.daemon import uptime_s
from launch.report import counts, tell

PATIENCE_S = 6.0
POLL_S = 0.2


class FirstRows:
    """Looks for rows beyond those that stood there before; its clock started with start.sh, in whose place we run."""

    def __init__(self, settings: Settings, before: Mapping[str, int]) -> None:
        self._settings = settings
        self._before = before
        self._since_s = monotonic_s() - uptime_s(os.getpid())
        self._seen_s: float | None = None

    def look(self) -> bool:
        """Return whether there are any; the moment that they are first seen counts."""
        if self._seen_s is None and servers.has_record(self._new()):
            self._seen_s = monotonic_s()
        return self._seen_s is not None

    def _new(self) -> Mapping[str, int]:
        try:
            now = servers.rows_by_table(self._settings)
        except StoreRefused:  # busy or restarting: what is not seen now is seen next time
            return {}
        return {name: rows - self._before.get(name, 0) for name, rows in now.items()}

    def tell(self) -> None:
        """Say when they came, waiting a little for them."""
        deadline_s = monotonic_s() + PATIENCE_S
        while not self.look():
            if monotonic_s() > deadline_s:
                return
            time.sleep(POLL_S)
        if self._seen_s is not None:
            tell(" First rows ", f"after {self._seen_s - self._since_s:.1f} s; now {counts(self._new())}")
