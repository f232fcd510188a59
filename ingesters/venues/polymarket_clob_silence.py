"""What is done when the venue's books move and their socket says nothing: it stays open, and its PONG lives."""

from collections.abc import Iterator

from common.clock import NS_PER_S
from common.errors import WireLost
from ingesters.feed import Step
from ingesters.venues.polymarket_clob_books import Books
from ingesters.venues.polymarket_clob_sockets import Sockets
from ingesters.venues.polymarket_clob_wire import VENUE

SILENT_S = 60.0


def mend(books: Books, sockets: Sockets, now_ns: int) -> Iterator[Step]:
    """
    Subscribe again to tokens whose books moved unheard.

    Raises:
        WireLost: that did not help, and nothing at all came on the socket.
    """
    missed, books.missed = books.missed & sockets.lines.keys(), set()
    for token in missed:
        line = sockets.lines[token]
        heard_ns = max(books.by_token[one].heard_ns for one in sockets.tokens_of(line.wire))
        if books.by_token[token].heard_ns < line.missed_ns and now_ns - heard_ns > SILENT_S * NS_PER_S:
            raise WireLost(VENUE, reason=f"{line.wire}: silent for {SILENT_S:g} s while the venue's books moved")
        line.missed_ns = now_ns
    yield from sockets.renew(missed)
