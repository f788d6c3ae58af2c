"""Bodies that a producer compressed, whatever by: the broker stores and hands out what it got."""

import pytest

from broker_py.message.record import decode_record
from tests.unit.broker.site import Site, body_of

COMPRESSED = 1
TYPES = {"lz4": 1 << 8, "zstd": 2 << 8, "zlib": 3 << 8, "unnamed": 0}


@pytest.mark.parametrize("kind", TYPES)
def test_a_compressed_body_goes_through_with_its_flags(kind: str) -> None:
    site, flags = Site(), COMPRESSED | TYPES[kind]
    body = kind.encode() + bytes(range(256))  # nothing here is able to open it
    assert site.send(body, sys_flag=flags).code == 0
    record = decode_record(body_of(site.pull()))
    assert (bytes(record.body), record.sys_flag & (COMPRESSED | 7 << 8)) == (body, flags)
