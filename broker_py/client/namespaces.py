"""Topics and groups of a namespace: `%RETRY%` and `%DLQ%` first, then `namespace%name` (remoting NamespaceUtil)."""

from broker_py.model.topic import DLQ_PREFIX, RETRY_PREFIX, is_system_topic

_SEPARATOR = "%"


def _split(name: str) -> tuple[str, str]:
    """(prefix, rest)"""
    for prefix in (RETRY_PREFIX, DLQ_PREFIX):
        if name.startswith(prefix):
            return prefix, name[len(prefix) :]
    return "", name


def with_namespace(namespace: str, name: str) -> str:
    """Return a topic or group as brokers know it; system topics and names that have the namespace stay."""
    prefix, rest = _split(name)
    if not namespace or not rest or is_system_topic(name) or rest.startswith(namespace + _SEPARATOR):
        return name
    return f"{prefix}{namespace}{_SEPARATOR}{rest}"


def without_namespace(namespace: str, name: str) -> str:
    """Return a topic or group as this client's user knows it."""
    prefix, rest = _split(name)
    return prefix + rest.removeprefix(namespace + _SEPARATOR) if namespace else name
