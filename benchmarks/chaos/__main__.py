"""`python -m benchmarks.chaos`, which is what `./fleet chaos` calls."""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any

import requests
from redis.exceptions import RedisError

from benchmarks.chaos.fleet import Fleet
from benchmarks.chaos.plan import NAMES, choose
from benchmarks.chaos.rest import is_at_rest
from benchmarks.chaos.truth import judge, outages, prove
from benchmarks.chaos.verdict import Verdict
from benchmarks.chaos.without import PARTS
from benchmarks.house import Broken, wait_for

CALM_S, DRAIN_S = 30.0, 300.0
LEAST_S, MOST_S = 0.1, 2.5  # between two faults


async def run(
    minutes: float, seed: int, without: str = "", only: str = "", *, is_small: bool = False
) -> dict[str, Any]:
    """Return what a run gave: faults, ends, and the verdict."""
    fleet, chance, done = Fleet(without, is_small=is_small), random.Random(seed), Counter[str]()
    await fleet.start()
    minding = asyncio.create_task(fleet.mind())
    try:
        end_s = time.monotonic() + minutes * 60
        while time.monotonic() < end_s:
            words = await _carry_out(fleet, chance, only)
            done[words.split(" for ")[0]] += 1
            print(f"chaos: {words}", file=sys.stderr)
            await asyncio.sleep(chance.uniform(LEAST_S, MOST_S))
        verdict, drained_s = await _settle(fleet)
        if not verdict.is_clean:
            print(f"chaos: the logs are in {fleet.keep_logs()}", file=sys.stderr)
    except Broken:
        print(f"chaos: the logs are in {fleet.keep_logs()}", file=sys.stderr)
        raise
    finally:
        minding.cancel()
        await fleet.stop()
    return {
        "seed": seed,
        "minutes": minutes,
        "faults": sum(done.values()),
        "by_fault": dict(done.most_common()),
        "restarts": dict(fleet.ends),
        "refusals": fleet.refusals,
        "drained_s": round(drained_s, 1),
        **asdict(verdict),
    }


async def _carry_out(fleet: Fleet, chance: random.Random, only: str) -> str:
    try:
        return await choose(chance, only)(fleet, chance)
    except (RedisError, requests.RequestException) as error:
        return f"nothing: {type(error).__name__}, what was to be hit is down already"


async def _settle(fleet: Fleet) -> tuple[Verdict, float]:
    """Let the fleet come to rest, and look at what stands."""
    await asyncio.to_thread(fleet.calm)
    with suppress(Broken):  # what is never at rest is judged as it is
        await asyncio.to_thread(wait_for, partial(is_at_rest, fleet), "rest", give_up_s=CALM_S, every_s=0.2)
    ended_s = time.monotonic()
    await asyncio.gather(*(fleet.retire(name) for name in fleet.ingesters))
    ledger = await asyncio.to_thread(fleet.ledger)
    while waiting := await asyncio.to_thread(_waiting, fleet):
        if time.monotonic() - ended_s > DRAIN_S:
            raise Broken(f"not drained after {DRAIN_S:.0f} s: {waiting}")
        await asyncio.sleep(0.2)
    drained_s = time.monotonic() - ended_s
    verdict = await asyncio.to_thread(judge, fleet.house, ledger)
    await asyncio.to_thread(outages, fleet.house, fleet.outages, verdict)
    await asyncio.to_thread(prove, fleet.house, verdict)
    return verdict, drained_s


def _waiting(fleet: Fleet) -> dict[str, int]:
    """Return how many records each group has not committed, where there are any."""
    redis = fleet.house.redis
    behind = {}
    for key in redis.scan_iter("group:{*}:*"):
        tag = key[key.index("{") + 1 : key.index("}")]
        offset = int(redis.hget(f"shard:{{{tag}}}", "offset") or 0)
        position = int(redis.hget(key, "position") or 0)
        if offset > position:
            behind[key] = offset - position
    return behind


def main() -> int:
    """Return 0 when nothing was lost without a word, doubled or out of order; else 1."""
    parser = argparse.ArgumentParser(prog="fleet chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="how long faults are made (2)")
    parser.add_argument("--seed", type=int, default=1, help="which faults (1)")
    parser.add_argument("--without", choices=tuple(PARTS), default="", help="show that a part is missed when away")
    parser.add_argument("--only", choices=NAMES, default="", help="make faults of one kind")
    parser.add_argument("--few", action="store_true", help="run three venues alone: it begins and ends much sooner")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    try:
        found = asyncio.run(run(options.minutes, options.seed, options.without, options.only, is_small=options.few))
    except Broken as error:
        print(f"chaos: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2) if options.json else _words(found))
    return 1 if any(found[name] for name in ("lost", "doubled", "disordered", "unproven")) else 0


def _words(found: dict[str, Any]) -> str:
    heads = {
        "faults": f"{found['faults']} in {found['minutes']:g} minutes, seed {found['seed']}",
        "restarts": f"{sum(found['restarts'].values())} processes started again, drained in {found['drained_s']} s",
        "rows": ", ".join(f"{table} {rows:,}" for table, rows in found["rows"].items()),
        "told": f"{found['told']} trades are missing and written down as gaps",
        "unheard": f"{found['unheard_quotes']} quotes were published while nobody recorded",
    }
    lists = {name: "; ".join(found[name]) or "0" for name in ("refusals", "lost", "doubled", "disordered", "unproven")}
    return "\n".join(f"{name:<12}{words}" for name, words in (heads | lists).items())


if __name__ == "__main__":
    sys.exit(main())
