"""Bytes that the real implementation wrote, by name (see tests/vectors)."""

from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "vectors"


def _vector(file: str, name: str) -> bytes:
    for line in (_FOLDER / file).read_text().splitlines():
        key, _, digits = line.partition(" ")
        if key == name:
            return bytes.fromhex(digits)
    raise LookupError(f"no vector {name} in {file}")


def java_remoting(name: str) -> bytes:
    """Return what the classes of rocketmq-remoting 5.1.0 wrote."""
    return _vector("java_5_1_0_remoting.txt", name)


def java_index(name: str) -> bytes:
    """Return what a broker of RocketMQ 5.1.0 wrote: `log`, the index files of it, and the checkpoint."""
    return _vector("java_5_1_0_index.txt", name)
