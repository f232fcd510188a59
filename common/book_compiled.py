"""Functions compiled by numba, and the search that the order-book kernels share."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar, cast

from numba import njit

from common.book_shapes import Ints

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Return a function compiled by numba, which keeps the result beside the module or where the user may write."""
    try:
        return cast("F", njit(cache=True, nogil=True, error_model="numpy")(function))
    except RuntimeError:  # there is no such place: compiled anew at each start
        return cast("F", njit(nogil=True, error_model="numpy")(function))


def cache_of(function: Callable[..., object]) -> Path | None:
    """Return where what numba made of a function is kept; None if nowhere."""
    path = getattr(getattr(function, "stats", None), "cache_path", None)
    return None if path is None else Path(path)


def forget_stale(cache: Path | None, sources: Path) -> None:
    """
    Delete what was compiled of the kernels before any of their sources changed.

    numba looks at the file of a function only, not at those of the functions and constants that it uses.
    https://numba.readthedocs.io/en/stable/developer/caching.html#caching-limitations
    """
    if cache is None:
        return
    newest = max(source.stat().st_mtime_ns for source in sources.glob("book_*.py"))
    for index in cache.glob("book_*.nbi"):
        with suppress(FileNotFoundError):  # another process may have deleted it
            if index.stat().st_mtime_ns < newest:
                index.unlink()


@compiled
def lower_bound(keys: Ints, count: int, key: int) -> int:
    """Return where the first of the ascending keys stands that is at least `key`."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low
