"""Tags as the numbers that consume queues hold and pull filters compare."""

from functools import lru_cache

from broker_py.message.java_hash import java_hash


@lru_cache(maxsize=4096)
def tags_code(tag: str | None) -> int:
    """Return the code of a `TAGS` value; 0 without a tag (`common/MessageExtBrokerInner`)."""
    return java_hash(tag) if tag else 0
