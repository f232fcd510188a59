"""The slow obvious prediction market: both books as dictionaries of fractions, a loop a formula."""

import math
from fractions import Fraction

SHOWN = 20
BANDS_C = (1, 2, 5, 10)
MIRRORED, ADDED = Fraction(99, 100), Fraction(1, 2)


def known_to(levels, depth):
    """Return the last price of a side that was cut off, None if it is known to its end."""
    return levels[-1][0] if depth == SHOWN and len(levels) == SHOWN else None


def in_window(levels, end, sign):
    return {price: size for price, size in levels if end is None or sign * price >= sign * end}


def worst(ends, sign):
    ends = [end for end in ends if end is not None]
    return sign * max(sign * end for end in ends) if ends else None


def first(levels):
    return levels[0][0] if levels else None


def either(one, other, choose):
    found = [value for value in (one, other) if value is not None]
    return choose(found) if found else None


def turned(levels):
    """Return levels of one token in prices of the other."""
    return [(1 - price, size) for price, size in levels]


def unified(yes, no):
    """Return (share, is_mirrored, ((bids, end), (asks, end))) of two (bids, asks, depth), best level first."""
    sides = []
    common = total = 0
    for own, other, sign in ((0, 1, 1), (1, 0, -1)):
        theirs, end = turned(no[other]), known_to(yes[own], yes[2])
        their_end = known_to(theirs, no[2])
        both_end = worst((end, their_end), sign)
        ours, mirrored = in_window(yes[own], both_end, sign), in_window(theirs, both_end, sign)
        common += sum(1 for price in ours if ours[price] == mirrored.get(price))
        total += len(ours) + len(mirrored)
        added = {price: ours.get(price, 0) + mirrored.get(price, 0) for price in {*ours, *mirrored}}
        sides.append((yes[own], end, sorted(added.items(), key=lambda level: -sign * level[0]), both_end))
    share = Fraction(2 * common, total) if total else None
    if share is None or ADDED <= share < MIRRORED:
        return share, None, None
    if share >= MIRRORED:
        return share, True, [(levels, end) for levels, end, _, _ in sides]
    return share, False, [(levels, end) for _, _, levels, end in sides]


def statistics(yes, no):
    """Return what prediction_stats tells of two books that are known, each (bids, asks, depth)."""
    share, is_mirrored, sides = unified(yes, no)
    bid = either(first(yes[0]), first(turned(no[1])), max)
    ask = either(first(yes[1]), first(turned(no[0])), min)
    made = {"mirrored_share": share, "is_mirrored": is_mirrored, "bid": bid, "ask": ask}
    made |= both_own(yes, no)
    mid = None if None in (bid, ask) else (bid + ask) / 2
    made |= {
        "mid": mid,
        "spread": None if mid is None else ask - bid,
        "is_crossed": None if mid is None else bid >= ask,
    }
    made["bounded_spread"] = None if mid is None or min(mid, 1 - mid) == 0 else (ask - bid) / min(mid, 1 - mid)
    made["logit_mid"] = math.log(mid / (1 - mid)) if mid is not None and 0 < mid < 1 else None
    for name, number, sign in (("bid", 0, 1), ("ask", 1, -1)):
        made |= depths(name, None if sides is None else sides[number], mid, sign)
    return made


def both_own(yes, no):
    (bid, ask), (no_bid, no_ask) = ((first(book[0]), first(book[1])) for book in (yes, no))
    residual = None if None in (bid, ask, no_bid, no_ask) else (bid + ask) / 2 + (no_bid + no_ask) / 2 - 1
    return {
        "parity_residual": residual,
        "merge_edge": None if None in (ask, no_ask) else 1 - ask - no_ask,
        "merge_size": None if None in (ask, no_ask) else min(yes[1][0][1], no[1][0][1]),
        "mint_edge": None if None in (bid, no_bid) else bid + no_bid - 1,
        "mint_size": None if None in (bid, no_bid) else min(yes[0][0][1], no[0][0][1]),
    }


def depths(name, side, mid, sign):
    levels, end = side or ([], None)
    paid = [(price if sign == 1 else 1 - price) * size for price, size in levels]
    made = {f"{name}_usd": None if side is None or end is not None else sum(paid)}
    for band in BANDS_C:
        edge = None if mid is None else mid - sign * Fraction(band, 100)
        is_covered = side is not None and edge is not None and (end is None or sign * end <= sign * edge)
        inside = [sign * price >= sign * edge for price, _ in levels] if is_covered else []
        made[f"{name}_depth_{band}c"] = (
            sum(size for (_, size), is_in in zip(levels, inside, strict=True) if is_in) if is_covered else None
        )
        made[f"{name}_usd_{band}c"] = (
            sum(usd for usd, is_in in zip(paid, inside, strict=True) if is_in) if is_covered else None
        )
    return made
