"""Make a simulator of what was asked for: an invented world, or recordings."""

from collections.abc import Sequence
from pathlib import Path

from simulator.demo.world import World
from simulator.limits import Limits
from simulator.registry import VENUES
from simulator.server import Simulator, shell_of
from simulator.sessions import read_sessions

# A recording that has ended is quiet, not mute, and the head of an old subgraph is as old as it is: nothing is amiss.
OF_A_RECORDING = {"ALPACA_MUTE_S": "86400", "BINANCE_MUTE_S": "86400", "GOLDSKY_LAG_S": "1e10"}


def demo(seed: int = 1, limits: Limits | None = None) -> Simulator:
    """Return a simulator of all venues in an invented world."""
    world, shell = World(seed), shell_of(limits)
    return Simulator({entry.name: entry.demo(world, shell) for entry in VENUES}, shell)


def replay(paths: Sequence[Path], speed: float = float("inf"), limits: Limits | None = None) -> Simulator:
    """
    Return a simulator of the venues that were recorded.

    Raises:
        CaptureRefused: a file cannot be replayed.
    """
    sessions, shell = read_sessions(paths, speed), shell_of(limits)
    venues = {entry.name: entry.replay(sessions[entry.name], shell) for entry in VENUES if entry.name in sessions}
    return Simulator(venues, shell, OF_A_RECORDING)
