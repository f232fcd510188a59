"""Wrong passwords slow down the address that they come from: not at first, soon so much that guessing is hopeless."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from common.log import logger

FREE = 4  # wrong ones that cost nothing: people mistype
FIRST_S = 1.0
LONGEST_S = 30.0  # two guesses a minute, and no owner waits longer
FORGOTTEN_S = 900.0
MOST_ADDRESSES = 1_000

log = logger("access")


@dataclass
class _Seen:
    """What an address has given: how many wrong ones, a mark of the last, and until when nothing of it is judged."""

    wrong: int = 0
    mark: int = 0
    until_s: float = 0.0


class Guesses:
    """
    The wrong passwords of the last quarter of an hour, by address; those of one never slow another.

    A right password does not wipe out the wrong ones, or whoever shares the owner's address could guess for ever.
    """

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._seen: OrderedDict[str, _Seen] = OrderedDict()  # who was wrong last stands last

    def wait_s(self, address: str) -> float:
        """Return for how many seconds no password of an address is judged, be it the right one; 0 if it is."""
        seen = self._seen.get(home_of(address))
        return max(0.0, seen.until_s - self._clock_s()) if seen else 0.0

    def was_wrong(self, address: str, given: str) -> None:
        """Remember a wrong password; the same one again, as an old tab or a scraper sends it, is no new guess."""
        home, now_s = home_of(address), self._clock_s()
        seen = self._seen.get(home)
        if seen is None or now_s - seen.until_s > FORGOTTEN_S:
            seen = self._seen[home] = _Seen()
        if seen.mark == hash(given):
            return
        seen.wrong, seen.mark = seen.wrong + 1, hash(given)
        seen.until_s = now_s + pause_s(seen.wrong)
        self._seen.move_to_end(home)
        while len(self._seen) > MOST_ADDRESSES:
            self._seen.popitem(last=False)
        if seen.wrong == FREE + 1:  # told once, however long it goes on
            log.warning("access.slowed", address=home, wrong=seen.wrong, longest_pause_s=LONGEST_S)


def pause_s(wrong: int) -> float:
    """Return how long an address waits after so many wrong passwords: 1, 2, 4 s and so on, LONGEST_S at most."""
    return 0.0 if wrong <= FREE else min(LONGEST_S, FIRST_S * 2.0 ** min(wrong - FREE - 1, 10))


def home_of(address: str) -> str:
    """Return whom an address stands for: in IPv6 everybody has 2**64 of them, and IPv4 may be written as IPv6."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or ip_network((found, 64), strict=False))
