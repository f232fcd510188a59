"""What `common.book_numbers` does, in plain Python."""

from decimal import Decimal, InvalidOperation

import numpy as np

from common.book_shapes import LARGEST, MOST_DIGITS, TOO_LONG, UNREADABLE, Bytes, Ints


def _number(text: str) -> tuple[int, int]:
    try:
        number = Decimal(text if text.strip() == text and "_" not in text else "")
    except InvalidOperation:
        return 0, UNREADABLE
    if not number.is_finite():
        return 0, UNREADABLE
    if not number:
        return 0, 0
    sign, figures, exponent = number.as_tuple()
    behind, mantissa = -int(exponent), int("".join(map(str, figures)))
    while behind > 0 and mantissa % 10 == 0:
        mantissa, behind = mantissa // 10, behind - 1
    mantissa, behind = mantissa * 10 ** max(-behind, 0), max(behind, 0)
    if mantissa > LARGEST or behind > MOST_DIGITS:
        return 0, TOO_LONG
    return -mantissa if sign else mantissa, behind


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


def write_numbers(scaled: Ints, digits: Ints, data: Bytes, offsets: Ints) -> None:
    """Do what `common.book_numbers.write_numbers` does."""
    texts = [_text(value, behind) for value, behind in zip(scaled.tolist(), digits.tolist(), strict=True)]
    text = "".join(texts).encode()
    offsets[:] = len(data) - len(text) + np.cumsum([0, *map(len, texts)])
    data[len(data) - len(text) :] = np.frombuffer(text, np.uint8)


def _text(value: int, behind: int) -> str:
    text = f"{Decimal(value).scaleb(-behind):f}"
    return text.rstrip("0").rstrip(".") if behind else text
