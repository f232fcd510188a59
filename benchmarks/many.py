"""`python -m benchmarks.many`: what one ingester spends on a thousand books that each change ten times a second."""

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

from benchmarks.house import ROOT, Broken, House, wait_for

SYMBOLS = 1_000
PER_S = 10
IN_STEP_S, MEASURE_S = 300.0, 15.0
BAR_PCT = 60.0


@dataclass(frozen=True)
class Found:
    """CPU of one core, by the ingester; `told` are events other than that it connected."""

    venue: str
    symbols: int
    messages_per_s: float
    cpu_pct: float
    told: dict[str, int]


def measure(venue: str, symbols: int, for_s: float) -> Found:
    """Return what an ingester spends while every book changes ten times a second, over some time."""
    crowd = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.crowd"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with crowd, House() as house:
        port = json.loads(crowd.stdout.readline() if crowd.stdout else "{}")["port"]
        house.start_redis()
        house.environment |= _settings(venue, port, symbols)
        program = f"{venue}_ingester"
        house.start(program, "ingesters", program)
        redis = house.redis
        wanted = symbols * PER_S * 0.9
        # A thousand snapshots take minutes: half of a venue's budget is all that goes into them.
        wait_for(lambda: _rate(house) > wanted, f"all of {venue}'s books", give_up_s=IN_STEP_S)
        before, spent_s, start_s = _books(house), house.cpu_s()[program], time.monotonic()
        time.sleep(for_s)
        wall_s = time.monotonic() - start_s
        rate, cpu = (_books(house) - before) / wall_s, (house.cpu_s()[program] - spent_s) / wall_s
        told = {
            name.partition("|")[2]: int(count)
            for name, count in redis.hgetall(f"proc:{program}").items()
            if name.startswith("feed_events_total|")
        }
        crowd.terminate()
    if rate < wanted:
        raise Broken(f"{venue}: {rate:,.0f} messages a second came, {wanted:,.0f} were wanted: the machine is too busy")
    return Found(venue, symbols, round(rate, 1), round(cpu * 100, 1), told)


def _rate(house: House) -> float:
    before, start_s = _books(house), time.monotonic()
    time.sleep(2.0)
    return (_books(house) - before) / (time.monotonic() - start_s)


def _books(house: House) -> int:
    shards = (house.redis.hget(f"shard:{{books:{number}}}", "offset") for number in range(4))
    return sum(int(offset or 0) for offset in shards)


def _settings(venue: str, port: int, symbols: int) -> dict[str, str]:
    names = [f"S{number:04}" for number in range(symbols)]
    if venue == "binance":
        return {
            "BINANCE_WS_URL": f"ws://127.0.0.1:{port}",
            "BINANCE_REST_URL": f"http://127.0.0.1:{port}",
            "BINANCE_SYMBOLS": ",".join(f"{name}USDT" for name in names),
            "BINANCE_DEPTH_LEVELS": "100",
            "BINANCE_MUTE_S": "86400",
        }
    return {
        "OKX_WS_URL": f"ws://127.0.0.1:{port}",
        "OKX_API_BASE_URL": f"http://127.0.0.1:{port}",
        "OKX_SYMBOLS": ",".join(f"{name}-USDT" for name in names),
        "OKX_BOOKS_FULL_INTERVAL_S": "86400",
        "OKX_MUTE_S": "86400",
    }


def main() -> int:
    """Print what was found; 1 when it could not be measured."""
    venues = sys.argv[1:] or ["binance", "okx"]
    try:
        for venue in venues:
            found = measure(venue, SYMBOLS, MEASURE_S)
            bar = "met" if found.cpu_pct <= BAR_PCT else "NOT met"
            print(json.dumps(asdict(found)), f"at most {BAR_PCT:.0f} % of a core: {bar}")
    except Broken as error:
        print(f"many: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
