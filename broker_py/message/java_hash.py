"""Java's `String.hashCode()`: `h = 31 * h + unit` over UTF-16 units, 32 bits.

Files hold such hashes, so they must be the same here: tags codes, and the places of keys in index files.
"""

from collections.abc import Sequence
from operator import mul
from typing import Final

_BITS: Final = 0xFFFFFFFF
_AT_ONCE: Final = 64
# _POWERS[n] are the factors of n units; to multiply and sum them in one go costs half of a loop.
_POWERS: Final[tuple[tuple[int, ...], ...]] = tuple(
    tuple(pow(31, n - 1 - i, _BITS + 1) for i in range(n)) for n in range(_AT_ONCE + 2)
)


def utf16_units(text: str) -> Sequence[int]:
    """Return the text as Java's `char`s: two for what is beyond the first 65,536 characters."""
    if text.isascii():
        return text.encode("ascii")
    data = text.encode("utf-16-be", "surrogatepass")
    return [(high << 8) + low for high, low in zip(data[::2], data[1::2], strict=True)]


def extend_hash(value: int, units: Sequence[int]) -> int:
    """Return the hash, unsigned, of a text with the hash `value` that goes on with `units`."""
    size = len(units)
    if size <= _AT_ONCE:
        total: int = sum(map(mul, units, _POWERS[size]))
        return (value * _POWERS[size + 1][0] + total) & _BITS
    for start in range(0, size, _AT_ONCE):
        value = extend_hash(value, units[start : start + _AT_ONCE])
    return value


def java_hash(text: str) -> int:
    """Return the hash of a text as Java has it, a signed number of 32 bits."""
    value = extend_hash(0, utf16_units(text))
    return value - (_BITS + 1) if value > _BITS >> 1 else value
