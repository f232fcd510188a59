"""What `common.book_numbers` does, in plain Python."""

from decimal import Decimal, InvalidOperation

from common.book_shapes import LARGEST, MOST_DIGITS, TOO_LONG, UNREADABLE, Bytes, Ints


def _number(text: str) -> tuple[int, int]:
    try:
        sign, figures, exponent = Decimal(text if text.strip() == text and "_" not in text else "").as_tuple()
    except InvalidOperation:
        return 0, UNREADABLE
    if isinstance(exponent, str):  # of "NaN" and "Infinity"
        return 0, UNREADABLE
    mantissa = int("".join(map(str, figures)) or "0")
    while exponent < 0 and mantissa % 10 == 0 and mantissa:
        mantissa, exponent = mantissa // 10, exponent + 1
    if not mantissa:
        return 0, 0
    mantissa, exponent = mantissa * 10 ** max(exponent, 0), min(exponent, 0)
    if mantissa > LARGEST or -exponent > MOST_DIGITS:
        return 0, TOO_LONG
    return -mantissa if sign else mantissa, -exponent


def read_numbers(data: Bytes, offsets: Ints, mantissas: Ints, digits: Ints) -> None:
    """Do what `common.book_numbers.read_numbers` does."""
    text = bytes(data)
    for index in range(len(mantissas)):
        number = text[offsets[index] : offsets[index + 1]].decode("utf-8", "replace")
        mantissas[index], digits[index] = _number(number)


def scale_numbers(mantissas: Ints, digits: Ints, scales: Ints, scaled: Ints) -> None:
    """Do what `common.book_numbers.scale_numbers` does."""
    for index, (mantissa, behind, scale) in enumerate(
        zip(mantissas.tolist(), digits.tolist(), scales.tolist(), strict=True)
    ):
        value = mantissa * 10 ** (scale - behind) if 0 <= behind <= scale else LARGEST + 1
        scaled[index] = value if -LARGEST <= value <= LARGEST else LARGEST + 1
