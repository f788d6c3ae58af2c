"""Tags as the numbers that consume queues hold and pull filters compare."""

from functools import lru_cache


def java_hash(text: str) -> int:
    """Return Java's `String.hashCode()`: `h = 31 * h + unit` over UTF-16 units, as a signed 32-bit number."""
    value = 0
    if text.isascii():
        for unit in text.encode("ascii"):
            value = (31 * value + unit) & 0xFFFFFFFF
    else:
        units = text.encode("utf-16-be", "surrogatepass")
        for high, low in zip(units[::2], units[1::2], strict=True):
            value = (31 * value + (high << 8) + low) & 0xFFFFFFFF
    return value - 0x100000000 if value >= 0x80000000 else value


@lru_cache(maxsize=4096)
def tags_code(tag: str | None) -> int:
    """Return the code of a `TAGS` value; 0 without a tag (`common/MessageExtBrokerInner`)."""
    return java_hash(tag) if tag else 0
