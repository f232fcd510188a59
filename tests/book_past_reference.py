"""The slow obvious way to say what happened before a row: every window looked through anew, in exact fractions."""

from fractions import Fraction
from statistics import median

from tests.book_reference import SHOWN, speaks

WINDOW_NS = 10 * 10**9


class Seen:
    """What a row shows of a book."""

    def __init__(self, at_ns, book, removed, *, is_broken):
        self.at_ns, self.removed, self.is_broken = at_ns, removed, is_broken
        self.sides = [[(price, size) for price, size, _ in side] for side in book.best_first()]
        limits = [None if limit is None else Fraction(limit) for limit in book.limits]
        known = [
            [level for level in side if limit is None or sign * level[0] >= sign * limit]
            for side, limit, sign in zip(self.sides, limits, (1, -1), strict=True)
        ]
        self.is_shown = [speaks(known, limits, side, SHOWN) for side in (0, 1)]
        self.depths = [
            sum(q for _, q in self.sides[side][:5]) if speaks(known, limits, side, 5) else None for side in (0, 1)
        ]
        self.spread = self.sides[1][0][0] - self.sides[0][0][0] if all(self.sides) else None
        self.walls = [
            walls_of(side[:SHOWN]) if shown else [] for side, shown in zip(self.sides, self.is_shown, strict=True)
        ]


def walls_of(best):
    if not best:
        return []
    sizes = [size for _, size in best]
    return [(p, q) for p, q in best if q >= 5 * median(sizes) and q >= sum(sizes) / 10]


def removed(before, after):
    """Return what left the best queue of each side by a message; levels are as `flow_levels` gives them."""
    made = []
    for (old, old_size), (new, new_size), sign in ((before[0][0], after[0][0], 1), (before[1][0], after[1][0], -1)):
        if old is None or (new is not None and sign * new > sign * old):
            made.append(Fraction(0))
        else:
            made.append(max(old_size - (new_size if new == old else 0), Fraction(0)))
    return made


def said(rows):
    """Return the statistics of the last of a book's rows."""
    gap = max(number for number, row in enumerate(rows) if row.is_broken or number == 0)
    rows = rows[gap:]
    last = rows[-1]
    inside = [number for number, row in enumerate(rows) if row.at_ns > last.at_ns - WINDOW_NS]
    made = {}
    for place, side in enumerate(("bid", "ask")):
        made |= queue(side, place, rows, inside) | walls(side, place, rows)
        made |= recovery(side, [row.depths[place] for row in rows], rows, inside, lambda old, new: new <= old / 2)
    spreads = [row.spread for row in rows]
    return made | recovery("spread", spreads, rows, inside, lambda old, new: new >= 2 * old)


def queue(side, place, rows, inside):
    rate = sum(rows[number].removed[place] for number in inside) / 10 if inside[0] > 0 else None
    best = rows[-1].sides[place][:1]
    return {f"{side}_removed_rate": rate, f"{side}_depletion_s": best[0][1] / rate if rate and best else None}


def recovery(name, values, rows, inside, is_large):
    made = {f"{name}_resilience": None, f"{name}_half_life_s": None}
    removals = [
        number
        for number in inside
        if number and None not in values[number - 1 : number + 1] and values[number - 1] > 0
        if is_large(values[number - 1], values[number])
    ]
    if not removals:
        return made
    at = removals[-1]
    shares = [None if value is None else (value - values[at]) / (values[at - 1] - values[at]) for value in values[at:]]
    made[f"{name}_resilience"] = shares[-1]
    for row, share in zip(rows[at:], shares, strict=True):
        if share is not None and share >= Fraction(1, 2):
            made[f"{name}_half_life_s"] = Fraction(row.at_ns - rows[at].at_ns, 10**9)
            break
    return made


def walls(side, place, rows):
    names = ("wall_age_ms", "oldest_wall_age_ms", "wall_gone", "wall_end", "walls_pulled", "walls_eaten")
    made = {f"{side}_{what}": None for what in names}
    last = rows[-1]
    ages = [age_ms(price, place, rows) for price, _ in last.walls[place]]
    if ages:
        made |= {f"{side}_wall_age_ms": ages[0], f"{side}_oldest_wall_age_ms": max(ages)}
    if len(rows) < 2 or not rows[-2].walls[place] or not last.is_shown[place]:
        return made
    ends = [end_of(wall, place, rows) for wall in rows[-2].walls[place]]
    lost, made[f"{side}_wall_end"] = ends[0]
    made[f"{side}_wall_gone"] = lost or None
    for kind in ("pulled", "eaten"):
        made[f"{side}_walls_{kind}"] = sum(lost for lost, end in ends if end == kind)
    return made


def age_ms(price, place, rows):
    """Return since when a wall of the last row has stood at its price in every row."""
    since = len(rows) - 1
    while since and price in dict(rows[since - 1].walls[place]):
        since -= 1
    return Fraction(rows[-1].at_ns - rows[since].at_ns, 10**6)


def end_of(wall, place, rows):
    """Return what a wall of the row before has lost, if it is none any more, and how."""
    (price, size), last = wall, rows[-1]
    sign, levels = 1 - 2 * place, last.sides[place]
    left = dict(levels[:SHOWN]).get(price, 0)
    is_out_of_view = len(levels) > SHOWN and sign * price < sign * levels[SHOWN - 1][0]
    if is_out_of_view or left >= size or price in dict(last.walls[place]):
        return 0, None
    other = last.sides[1 - place][:1]
    if other and sign * other[0][0] <= sign * price:
        return size - left, "eaten"
    if all(sign * row.sides[place][0][0] > sign * price if row.sides[place] else False for row in rows[-2:]):
        return size - left, "pulled"
    return size - left, None
