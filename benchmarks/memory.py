"""How much memory the whole default fleet holds while every simulated venue talks to it."""

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
    """Bytes by process, shared pages divided among those that share them; `resident_bytes` counts them each time."""

    for_s: float
    proportional_bytes: Mapping[str, int]
    resident_bytes: int

    @property
    def total_bytes(self) -> int:
        """Return what the fleet holds, every page once."""
        return sum(self.proportional_bytes.values())


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
    return Memory(for_s, {name: pss for name, (_, pss) in held.items()}, sum(rss for rss, _ in held.values()))
