"""Popping from a broker as a process, which is killed in the midst of it."""

import asyncio
from typing import Any

from broker_py.message.record import decode_record
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Reply
from tests.support.cluster import Cluster, until
from tests.support.direct import Direct
from tests.unit.broker.pops import a_pop, extra_infos


async def popped(direct: Direct, address: str, **fields: Any) -> Reply:
    texts = {name: str(value) for name, value in a_pop(**fields).items()}
    answer = await direct.ask(address, RequestCode.POP_MESSAGE, texts)
    return Reply(answer.code, answer.remark, answer.ext, answer.body)


def bodies(reply: Reply) -> list[bytes]:
    data, found, position = bytes(reply.body), [], 0  # type: ignore[arg-type]
    while position < len(data):
        record = decode_record(data, position)
        found.append(bytes(record.body))
        position += record.size
    return found


async def acknowledge(direct: Direct, address: str, reply: Reply) -> None:
    for fields in extra_infos(reply):
        texts = {name: str(value) for name, value in fields.items()}
        answer = await direct.tell(address, RequestCode.ACK_MESSAGE, texts)
        assert answer.code == ResponseCode.SUCCESS, answer.remark


async def test_a_kill_under_pops_loses_nothing_and_brings_nothing_acknowledged_back(cluster: Cluster) -> None:
    broker = cluster.broker()
    await broker.start()
    sent = {b"m%d" % number for number in range(200)}
    asked: set[bytes] = set()
    acked: set[bytes] = set()
    async with Direct() as direct:
        for number, body in enumerate(sorted(sent)):
            await direct.send(broker.address, "T", body, queue_id=number % 4)

        async def consume(rounds: int) -> None:
            for number in range(rounds):
                reply = await popped(direct, broker.address, maxMsgNums=10, invisibleTime=3000)
                if reply.code == ResponseCode.SUCCESS and number % 2 == 0:
                    asked.update(bodies(reply))
                    await acknowledge(direct, broker.address, reply)
                    acked.update(bodies(reply))

        await consume(6)
        load = asyncio.gather(*(consume(100) for _ in range(3)), return_exceptions=True)
        await asyncio.sleep(0.02)
        broker.kill()
        await load
    await broker.start()
    got: set[bytes] = set()
    async with Direct() as direct:

        async def complete() -> bool:
            reply = await popped(direct, broker.address, invisibleTime=60_000, pollTime=500)
            if reply.code == ResponseCode.SUCCESS:
                await acknowledge(direct, broker.address, reply)
                got.update(bodies(reply))
            return got >= sent - asked

        await until(complete, "all that was not acknowledged has come back")
        await asyncio.sleep(1)
        while (reply := await popped(direct, broker.address, invisibleTime=60_000)).code == ResponseCode.SUCCESS:
            got.update(bodies(reply))
    assert not got & acked


async def test_a_parked_pop_is_answered_by_the_message(cluster: Cluster) -> None:
    broker = cluster.broker()
    await broker.start()
    async with Direct() as direct:
        await direct.send(broker.address, "T", b"first")
        assert bodies(await popped(direct, broker.address)) == [b"first"]
        waiting = asyncio.create_task(popped(direct, broker.address, pollTime=15_000))
        await asyncio.sleep(0.2)
        await direct.send(broker.address, "T", b"second", queue_id=3)
        assert bodies(await asyncio.wait_for(waiting, 5)) == [b"second"]
