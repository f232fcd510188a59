"""`python -m simulator --demo | --replay FILE…`: the venues on loopback until SIGTERM."""

import argparse
import asyncio
import gc
import logging
import math
import signal
import sys
from pathlib import Path

import uvloop

from common.lifecycle import die_with_parent
from simulator.capture import CaptureRefused
from simulator.run import demo, replay
from simulator.server import Simulator, write_addresses

EXIT_FAILED, EXIT_REFUSED = 1, 2


def main() -> int:
    """Return the exit code: 0 stopped, 1 a bug, 2 a refused recording or a taken port."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    arguments = _parser().parse_args()
    die_with_parent()
    try:
        return uvloop.run(_run(arguments))
    except CaptureRefused as refused:
        return _refuse(str(refused))
    except OSError as error:
        return _refuse(error.strerror or str(error))


async def _run(arguments: argparse.Namespace) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    gc.disable()  # nothing of a recording is garbage; to look for some takes a fifth of the time that reading takes
    simulator = replay(arguments.replay, arguments.speed) if arguments.replay else demo(arguments.seed)
    gc.freeze()
    gc.enable()
    await simulator.start(arguments.port_base)
    try:
        if arguments.addresses:
            write_addresses(arguments.addresses, simulator.environment)
        sys.stdout.write(f"simulator.listening {simulator.environment['SIMULATOR_URL']}\n")
        sys.stdout.flush()
        return await _until_stopped(simulator, stop)
    finally:
        await simulator.stop()


async def _until_stopped(simulator: Simulator, stop: asyncio.Event) -> int:
    waits = [asyncio.create_task(event.wait()) for event in (stop, simulator.failed)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    return EXIT_FAILED if simulator.failed.is_set() else 0


def _refuse(reason: str) -> int:
    sys.stderr.write(f"simulator: {reason}\n")
    return EXIT_REFUSED


def _speed(text: str) -> float:
    speed = math.inf if text == "max" else float(text)
    if not speed > 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0 or max, found {text}")
    return speed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--demo", action="store_true", help="an invented world that never ends")
    source.add_argument("--replay", nargs="+", type=Path, metavar="FILE", help="recorded sessions (capture/1)")
    parser.add_argument("--seed", type=int, default=1, help="the world's seed (1)")
    parser.add_argument("--speed", type=_speed, default=1.0, metavar="X|max", help="replay speed (1)")
    parser.add_argument("--port-base", type=int, default=0, help="first of the ports to use (free ones)")
    parser.add_argument("--addresses", type=Path, metavar="PATH", help="where to write the fleet's settings as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
