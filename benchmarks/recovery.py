"""How long new rows stay away after a kill -9 of each part, started again at once: python -m benchmarks.recovery."""

import json
import signal
import time
from collections.abc import Callable
from statistics import median

from clickhouse_connect.driver.exceptions import ClickHouseError

from benchmarks.house import Broken, House, wait_for

ROUNDS = 7
WRITER, INGESTER = "clickhouse_writer", "binance_ingester"
NEWEST = "SELECT toUnixTimestamp64Nano(max(received_time)) FROM trades"
LOOK_S = 0.02
SETTLED_S = 2.0


def start(house: House) -> dict[str, Callable[[], None]]:
    """Start a fleet of one venue; return how each part is started again."""
    house.start_servers()
    addresses = house.folder / "simulator.json"
    house.start("simulator", "simulator", "--demo", "--addresses", str(addresses))
    wait_for(addresses.exists, "the simulator")
    house.environment |= json.loads(addresses.read_text())
    starts: dict[str, Callable[[], None]] = {
        INGESTER: lambda: house.start(INGESTER, "ingesters", INGESTER),
        WRITER: lambda: house.start(WRITER, "processors", WRITER),
    }
    for begin in starts.values():
        begin()
    return {**starts, "redis": house.launch_redis, "clickhouse": house.launch_clickhouse}


def newest_ns(house: House) -> int:
    """Return when the newest row was received."""
    return int(house.sql(NEWEST)[0][0])


def away_s(house: House, name: str, again: Callable[[], None]) -> float:
    """Kill a part and start it again; return how long it took until a row stood that was received afterwards."""
    began_ns, began_s = time.time_ns(), time.monotonic()
    process = house.processes[name]
    process.send_signal(signal.SIGKILL)
    process.wait()
    again()
    while time.monotonic() - began_s < 60:
        try:
            if newest_ns(house) > began_ns:
                return time.monotonic() - began_s
        except (ClickHouseError, OSError):
            pass
        time.sleep(LOOK_S)
    raise Broken(f"no new row within a minute after {name} was killed")


def main() -> None:
    """Measure, and print a line for each part."""
    with House() as house:
        starts = start(house)
        wait_for(lambda: newest_ns(house) > 0, "rows")
        for name, again in starts.items():
            found = []
            for _ in range(ROUNDS):
                found.append(away_s(house, name, again))
                time.sleep(SETTLED_S)  # what was behind has been caught up with
            print(f"kill -9 {name:<20} p50 {median(found):5.1f} s   max {max(found):5.1f} s", flush=True)


if __name__ == "__main__":
    main()
