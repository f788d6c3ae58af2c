"""Mutated bytes at both ends of replication: they are followed, or end the connection with one of our errors."""

import asyncio
from random import Random

import pytest

from broker_py.replication.acks import AckTable
from broker_py.replication.connection import PeerConnection
from broker_py.replication.master_connection import MasterConnection
from broker_py.replication.secret import Secret
from broker_py.replication.slave_connection import SlaveConnection
from tests.mutations.meter import SEED, Meter, check_reason, listening
from tests.mutations.replication import ReplicationBytes
from tests.unit.replication.fakes import ManualClock, MemoryLog, MemoryTransport, config, log_bytes

LOG = log_bytes(0, 4000)
SECRET = b"a secret of 16 bytes"


def a_master(log: MemoryLog, secret: Secret | None) -> SlaveConnection:
    return SlaveConnection(
        1,
        log,
        config(),
        AckTable(2),
        ManualClock(),
        on_ack=lambda: None,
        on_ready=lambda: None,
        on_lost=lambda _: None,
        fetch=lambda _owner, _miss, _done: False,
        secret=secret,
    )


def a_slave(log: MemoryLog, secret: Secret | None) -> MasterConnection:
    return MasterConnection(log, config(compare_bytes=20), lambda: None, ManualClock(), secret=secret)


@pytest.mark.timeout(0)
async def test_mutated_bytes_end_the_connection_or_are_followed() -> None:
    random = Random(f"{SEED}/replication")
    source = ReplicationBytes(random)
    meter = Meter("replication")
    done = 0
    with listening() as complaints:
        connection: PeerConnection | None = None
        log = MemoryLog()
        for number in meter.each():
            if connection is None:
                log = MemoryLog(data=LOG[: random.choice((0, 45, 1000, 1234))])
                secret = Secret(SECRET, random.randbytes) if random.random() < 0.2 else None
                connection = a_master(log, secret) if random.random() < 0.5 else a_slave(log, secret)
                connection.connection_made(MemoryTransport())
                done += 1
            if random.random() < 0.02:
                data = source.handshake()
            elif isinstance(connection, SlaveConnection):
                data = source.reports(log.end)
            else:
                data = source.frames(log.end, LOG)
            cut = random.choice((len(data), random.randrange(len(data) + 1)))
            with meter.timed(data):
                for piece in (data[:cut], data[cut:]):
                    if piece:
                        connection.data_received(piece)
                if isinstance(connection, SlaveConnection) and connection.ended is None:
                    connection.pump()
            if connection.ended is not None or random.random() < 0.02:
                check_reason(connection.ended)
                connection.connection_lost(None)
                connection = None
            if number % 100 == 0:
                await asyncio.sleep(0)
            assert not complaints.found, complaints.found[0]
        if connection is not None:
            connection.connection_lost(None)
    assert done > meter.count // 100
