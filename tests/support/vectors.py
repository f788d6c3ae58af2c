"""Bytes that the real implementation wrote, by name (see tests/vectors)."""

from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "vectors"


def java_remoting(name: str) -> bytes:
    """Return what the classes of rocketmq-remoting 5.1.0 wrote."""
    for line in (_FOLDER / "java_5_1_0_remoting.txt").read_text().splitlines():
        key, _, digits = line.partition(" ")
        if key == name:
            return bytes.fromhex(digits)
    raise LookupError(f"no vector {name}")
