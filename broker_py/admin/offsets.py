"""Moving consumer groups in their topics (tools command/offset)."""

from dataclasses import dataclass, replace
from typing import Final

from broker_py.admin.targets import NotKnown
from broker_py.client.client import Client
from broker_py.errors import RequestFailed
from broker_py.model.message_queue import MessageQueue
from broker_py.model.route import MASTER_ID, BrokerData

TO_END: Final = -1
"""Instead of a time: the end of each queue."""
_NOT_ONLINE: Final = 206


@dataclass(frozen=True, kw_only=True)
class OffsetMove:
    """Where a group stands in a queue (None: nowhere yet) and where it is to stand."""

    queue: MessageQueue
    before: int | None
    after: int

    @property
    def moves(self) -> bool:
        """True when something changes."""
        return self.before != self.after


async def plan_reset(client: Client, group: str, topic: str, time_ms: int, *, force: bool = True) -> list[OffsetMove]:
    """Return what a reset to a time (`TO_END`: to the ends) would change; without `force` a group only goes back."""
    moves: list[OffsetMove] = []
    for queue in sorted(await _all_queues(client, topic)):
        before = await client.queues.committed_offset(group, queue, strict=True)
        if time_ms == TO_END:
            after = await client.queues.max_offset(queue)
        else:
            after = await client.queues.offset_at(queue, time_ms)
        if not force and before is not None and before <= after:
            after = before
        moves.append(OffsetMove(queue=queue, before=before, after=after))
    return moves


async def _all_queues(client: Client, topic: str) -> list[MessageQueue]:
    route = await client.name_servers.route(topic)
    return [
        MessageQueue(topic, each.broker_name, queue_id)
        for each in route.queue_datas
        for queue_id in range(max(each.read_queue_nums, each.write_queue_nums))
    ]


async def reset_offsets(
    client: Client, group: str, topic: str, time_ms: int, *, force: bool = True
) -> list[OffsetMove]:
    """Set a group to a time, or to the ends of its queues, and return what became of each queue.

    The brokers tell the members of the group, who commit. Where it has none, the offsets are set here, also those of a
    group that never committed any: a broker would refuse it.
    """
    plan = {move.queue: move for move in await plan_reset(client, group, topic, time_ms, force=force)}
    route = await client.name_servers.route(topic)
    done: list[OffsetMove] = []
    for broker in sorted(route.broker_datas, key=lambda each: each.broker_name):
        own = {queue: move for queue, move in plan.items() if queue.broker_name == broker.broker_name}
        if not await _has_members(client, _master(broker), group):
            await apply_moves(client, group, list(own.values()))
            done += own.values()
            continue
        told = await client.administration.reset_offset(_master(broker), topic, group, time_ms, force=force)
        done += [replace(move, after=told.get(queue, move.after)) for queue, move in own.items() if queue in told]
    return done


async def _has_members(client: Client, address: str, group: str) -> bool:
    try:
        return bool((await client.brokers.group_connections(address, group)).clients)
    except RequestFailed as error:
        if error.code != _NOT_ONLINE:
            raise
        return False


def _master(broker: BrokerData) -> str:
    address = broker.broker_addrs.get(MASTER_ID)
    if address is None:
        raise NotKnown(f"{broker.broker_name} has no master now, which is who moves groups")
    return address


async def plan_clone(client: Client, source: str, target: str, topic: str) -> list[OffsetMove]:
    """Return what would change if a group stood in a topic where another one does; NotKnown if that one is nowhere."""
    moves: list[OffsetMove] = []
    for queue in sorted(await _all_queues(client, topic)):
        after = await client.queues.committed_offset(source, queue, strict=True)
        if after is not None:
            moves.append(
                OffsetMove(
                    queue=queue, before=await client.queues.committed_offset(target, queue, strict=True), after=after
                )
            )
    if not moves:
        raise NotKnown(f"the consumer group {source} stands nowhere in {topic}, so there is nothing to copy")
    return moves


async def apply_moves(client: Client, group: str, moves: list[OffsetMove]) -> None:
    """Set where a group stands; members that run don't learn of it."""
    for move in moves:
        if move.moves:
            await client.queues.commit_offset(group, move.queue, move.after)
