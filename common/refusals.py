"""What ClickHouse means by its error numbers, as far as it matters what is done next."""

from common.errors import StoreRefused

# What the engine says of the rows themselves: repeating cannot help, setting the guilty ones aside does.
# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
CONTENT_CODES = frozenset({6, 25, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 131, 321, 349, 395, 407, 469, 691})
PASSWORD_CODES = frozenset({193, 194, 516})


def is_about_content(error: StoreRefused) -> bool:
    """Return whether the rows themselves are at fault."""
    return error.code in CONTENT_CODES


def is_about_password(error: StoreRefused) -> bool:
    """Return whether the server wants another password: nothing was done."""
    return error.code in PASSWORD_CODES
