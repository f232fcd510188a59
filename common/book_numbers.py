"""Decimal text to whole numbers and back, exactly, compiled: figures as one integer, how many are behind the point."""

from common.book_compiled import compiled
from common.book_shapes import LARGEST, MOST_DIGITS, TOO_LONG, UNREADABLE, Bytes, Ints

ZERO, NINE, POINT, MINUS, PLUS, SMALL_E, LARGE_E = b"09.-+eE"


@compiled
def _exponent(data: Bytes, at: int, stop: int) -> int:
    """Return the whole number that fills the bytes; a large one when it is none."""
    sign = 1
    if at < stop and (data[at] == MINUS or data[at] == PLUS):
        sign = -1 if data[at] == MINUS else 1
        at += 1
    value = 0
    if at == stop or stop - at > 3:  # noqa: PLR2004  no price has a thousand digits
        return LARGEST
    for index in range(at, stop):
        if not ZERO <= data[index] <= NINE:
            return LARGEST
        value = value * 10 + data[index] - ZERO
    return sign * value


@compiled
def _normal(mantissa: int, digits: int) -> tuple[int, int]:
    """Return a number without zeros at the end behind the point, and with no fewer than 0 digits there."""
    while digits > 0 and mantissa % 10 == 0:
        mantissa //= 10
        digits -= 1
    while digits < 0 and mantissa:
        if mantissa > LARGEST // 10:
            return 0, TOO_LONG
        mantissa *= 10
        digits += 1
    return mantissa, max(digits, 0)


@compiled
def _digits(data: Bytes, at: int, stop: int) -> tuple[int, int, int]:
    """Return the figures before an exponent as one number, how many are behind the point, and where they end."""
    mantissa, digits, zeros, seen, is_behind = 0, 0, 0, 0, False
    while at < stop and data[at] != SMALL_E and data[at] != LARGE_E:
        figure = int(data[at]) - ZERO
        at += 1
        if figure == POINT - ZERO and not is_behind:
            is_behind = True
            continue
        if not 0 <= figure <= 9:  # noqa: PLR2004  a figure
            return 0, UNREADABLE, stop
        seen += 1
        if is_behind and figure == 0:
            zeros += 1  # counts only when another figure follows
            continue
        for _ in range(zeros + 1):
            if mantissa > LARGEST // 10:
                return 0, TOO_LONG, stop
            mantissa *= 10
        mantissa += figure
        if mantissa > LARGEST:
            return 0, TOO_LONG, stop
        digits += zeros + 1 if is_behind else 0
        zeros = 0
    return mantissa, digits if seen else UNREADABLE, at


@compiled
def _short_number(data: Bytes, at: int, stop: int) -> tuple[int, int]:
    """Return a number of figures and a point that cannot overflow, as nearly all are; UNREADABLE for any other text."""
    mantissa = digits = kept = kept_digits = point = 0
    for byte in data[at:stop]:
        figure = int(byte) - ZERO
        if 0 <= figure <= 9:  # noqa: PLR2004  a figure
            mantissa = mantissa * 10 + figure
            digits += point
            if figure or not point:  # zeros behind the point count only when another figure follows
                kept, kept_digits = mantissa, digits
        elif figure == POINT - ZERO and not point:
            point = 1
        else:
            return 0, UNREADABLE
    return kept, kept_digits if stop - at > point else UNREADABLE


@compiled
def _number(data: Bytes, at: int, stop: int) -> tuple[int, int]:
    if stop - at <= MOST_DIGITS:
        mantissa, digits = _short_number(data, at, stop)
        if digits >= 0:
            return mantissa, digits
    sign = 1
    if at < stop and (data[at] == MINUS or data[at] == PLUS):
        sign = -1 if data[at] == MINUS else 1
        at += 1
    mantissa, digits, at = _digits(data, at, stop)
    if digits >= 0 and at < stop:
        exponent = _exponent(data, at + 1, stop)
        if exponent == LARGEST:
            return 0, UNREADABLE
        mantissa, digits = _normal(mantissa, digits - exponent)
    if mantissa == 0 and digits >= 0:
        return 0, 0
    if digits > MOST_DIGITS:
        return 0, TOO_LONG
    return sign * mantissa, digits


@compiled
def read_numbers(data: Bytes, offsets: Ints, mantissas: Ints, digits: Ints) -> None:
    """
    Read one number after the other: the text of number i is `data[offsets[i]:offsets[i + 1]]`.

    The number is `mantissas[i] / 10**digits[i]`, with as few digits as can be. `digits[i]` is UNREADABLE for what is no
    decimal, TOO_LONG for one of more than 18 digits behind the point, or one whose figures do not fit 62 bits.
    """
    for index in range(len(mantissas)):
        mantissas[index], digits[index] = _number(data, offsets[index], offsets[index + 1])


@compiled
def scale_numbers(mantissas: Ints, digits: Ints, scales: Ints, scaled: Ints) -> None:
    """Write each number as an integer of `10**-scale`; LARGEST + 1 where that does not fit, or has more digits."""
    for index in range(len(mantissas)):
        value, missing = mantissas[index], scales[index] - digits[index]
        if digits[index] < 0 or missing < 0:
            value, missing = LARGEST + 1, 0
        for _ in range(missing):
            value *= 10
            if not -LARGEST <= value <= LARGEST:
                value = LARGEST + 1
                break
        scaled[index] = value


@compiled
def write_numbers(scaled: Ints, digits: Ints, data: Bytes, offsets: Ints) -> None:
    """
    Write `scaled[i] / 10**digits[i]`, 0 or more, as text `data[offsets[i]:offsets[i + 1]]`, with no zeros at the end.

    From the last figure of the last number to the first of the first: so no length need be known before. `data` has
    room for MOST_BYTES each, and is filled from its end.
    """
    at = offsets[len(scaled)] = len(data)
    for index in range(len(scaled) - 1, -1, -1):
        value, behind = _normal(scaled[index], digits[index])
        for figure in range(MOST_DIGITS + 1):
            if figure == behind > 0:
                at -= 1
                data[at] = POINT
            if figure > behind and value == 0:
                break
            at -= 1
            data[at] = ZERO + value % 10
            value //= 10
        offsets[index] = at
