"""How much memory the fleet holds while every simulated venue talks to it, and what runs without any key of it."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.house import House, free_port, memory_of, wait_for
from common.settings import Settings
from ingesters.registry import VENUES
from processors.registry import PROGRAMS, why_off

NOT_OURS = ("simulator",)


@dataclass(frozen=True)
class Memory:
    """
    Bytes by process, shared pages divided among those that share them; `resident_bytes` counts them each time.

    `keyed` are the programs that no one runs without a key or an address of their own.
    """

    for_s: float
    keyed: tuple[str, ...]
    proportional_bytes: Mapping[str, int]
    resident_bytes: int

    @property
    def total_bytes(self) -> int:
        """Return what the fleet holds, every page once."""
        return sum(self.proportional_bytes.values())

    @property
    def default_bytes(self) -> int:
        """Return what the programs hold that run when nothing is set."""
        return sum(held for name, held in self.proportional_bytes.items() if name not in self.keyed)


def memory(for_s: float) -> Memory:
    """Return what the fleet holds after some time under the demo's load; the simulator is not part of it."""
    with House() as house:
        house.start_servers()
        addresses = house.folder / "addresses.json"
        house.start("simulator", "simulator", "--demo", "--addresses", str(addresses))
        wait_for(addresses.exists, "the simulator")
        told = {name: str(value) for name, value in json.loads(addresses.read_text(encoding="utf-8")).items()}
        house.environment |= {**told, "DASHBOARD_PORT": str(free_port())}
        settings = Settings.from_env(house.environment, house.folder / "none")
        for program in PROGRAMS:
            if why_off(program, settings) is None:
                house.start(program, "processors", program)
        for venue in VENUES:
            if venue.why_disabled(settings) is None:
                house.start(venue.program, "ingesters", venue.program)
        house.start("dashboard", "monitoring")
        time.sleep(for_s)
        held = {name: memory_of(one.pid) for name, one in house.processes.items() if name not in NOT_OURS}
    keyed = tuple(venue.program for venue in VENUES if venue.why_disabled(Settings()) is not None)
    return Memory(for_s, keyed, {name: pss for name, (_, pss) in held.items()}, sum(rss for rss, _ in held.values()))
