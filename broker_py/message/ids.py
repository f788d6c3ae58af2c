"""Message ids: the broker's, which is an address and a log offset, and the client's unique one.

offset id   ip(4|16) port(i32) log offset(i64)                              32 or 56 hex digits, upper case
unique id   ip(4|16) pid(u16) loader(i32) ms since the 1st(u32) counter(u16)     the same length
"""

from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address

from broker_py.errors import ProtocolError
from broker_py.seams import Clock


def pack_host(ip: str, port: int) -> bytes:
    """Return an address as records hold it: 4 or 16 bytes of IP, then the port as int32. ValueError for a host name."""
    return ip_address(ip).packed + port.to_bytes(4, "big")


def unpack_host(host: bytes | memoryview) -> tuple[str, int]:
    """Return (ip, port) of a packed address of 8 or 20 bytes."""
    return str(ip_address(bytes(host[:-4]))), int.from_bytes(host[-4:], "big")


def offset_message_id(store_host: bytes, log_offset: int) -> str:
    """Return the id under which the broker at the packed `store_host` finds the message at `log_offset`."""
    return f"{_digits(store_host)}{log_offset:016X}"


@lru_cache(maxsize=64)
def _digits(host: bytes) -> str:
    """A broker's own address is in the id of each of its messages."""
    return host.hex().upper()


def decode_offset_message_id(message_id: str) -> tuple[bytes, int]:
    """Return (packed store host, log offset); ProtocolError when the id is not one."""
    try:
        data = bytes.fromhex(message_id)
    except ValueError:
        data = b""
    if len(data) not in {16, 28}:
        raise ProtocolError(f"{message_id[:64]!r} is not an offset message id of 32 or 56 hex digits")
    return data[:-8], int.from_bytes(data[-8:], "big")


class UniqueIds:
    """Unique ids of one process, as a client's `UNIQ_KEY` (`common/MessageClientIDSetter`)."""

    def __init__(self, ip: str, pid: int, loader: int, clock: Clock) -> None:
        self._prefix = (
            (ip_address(ip).packed + (pid & 0xFFFF).to_bytes(2, "big") + (loader & 0xFFFFFFFF).to_bytes(4, "big"))
            .hex()
            .upper()
        )
        self._clock = clock
        self._counter = 0

    def next_id(self) -> str:
        """Return an id that no other call returns within a month, but after 65,536 calls in one millisecond."""
        now_ms = self._clock.now_ms()
        now = datetime.fromtimestamp(now_ms / 1000)
        month_start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        elapsed_ms = now_ms - int(month_start.timestamp() * 1000)
        self._counter = (self._counter + 1) & 0xFFFF
        return f"{self._prefix}{elapsed_ms & 0xFFFFFFFF:08X}{self._counter:04X}"
