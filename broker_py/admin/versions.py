"""Versions of clients and brokers as text (common MQVersion)."""

from typing import Final

_V4_0_0_SNAPSHOT: Final = 212


def version_text(version: int) -> str:
    """Return the name of a version that a client sent, such as V5_1_0 for 433.

    It is an ordinal of common MQVersion. Since 4.0 that has ten patches for each minor version and ten minor for
    each major one, every one with a snapshot before it; what is older is shown as the number.
    """
    since = version - _V4_0_0_SNAPSHOT
    if since < 0:
        return str(version)
    name = f"V{4 + since // 200}_{since % 200 // 20}_{since % 20 // 2}"
    return name if since % 2 else name + "_SNAPSHOT"
