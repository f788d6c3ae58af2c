"""What clients recorded of a message (client trace/TraceDataEncoder).

A trace message holds records, each ended by 0x02, of fields parted by 0x01:

    Pub       time, region, group, topic, id, tags, keys, store host, length, cost, type[, offset id], success[, host]
    SubAfter  request id, id, cost, success, keys, code[, time, group]
"""

from dataclasses import dataclass
from typing import Final

from broker_py.client.client import Client
from broker_py.client.messages import OutgoingMessage, ReceivedMessage
from broker_py.client.sending import SendResult, SendStatus

TRACE_TOPIC: Final = "RMQ_SYS_TRACE_TOPIC"
_FIELD: Final = "\x01"
_RECORD: Final = "\x02"
_PUB_FIELDS: Final = 13
_SUB_FIELDS: Final = 6
_TRACE_GROUP: Final = "_INNER_TRACE_PRODUCER"


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One record: of sending (`Pub`) or of having consumed (`Sub`); `time_ms` is 0 where an old client told none."""

    kind: str
    group: str
    host: str
    time_ms: int
    cost_ms: int
    success: bool


async def trace_send(
    client: Client, message: OutgoingMessage, result: SendResult, group: str, began_ms: int, cost_ms: int
) -> bool:
    """Record that a message was sent, as Java's SendMessageTraceHookImpl does; False where the broker wants none."""
    if not result.trace_on:
        return False
    brokers = (await client.name_servers.route(message.topic)).broker_datas
    address = next((each.any_address for each in brokers if each.broker_name == result.broker_name), "")
    success = "true" if result.status is SendStatus.SEND_OK else "false"
    fields = (
        *("Pub", str(began_ms), result.region_id, group, message.topic, result.message_id),
        *(message.tags or "", message.keys or "", address, str(len(message.body))),
        *(str(cost_ms), "0", result.offset_id, success),
    )
    keys = " ".join([result.message_id, *(message.keys or "").split()])
    body = (_FIELD.join(fields) + _RECORD).encode()
    await client.producer(_TRACE_GROUP).send(OutgoingMessage(topic=TRACE_TOPIC, body=body, keys=keys))
    return True


async def traces_of(client: Client, message_id: str, topic: str = TRACE_TOPIC) -> list[Trace]:
    """Return what is recorded of a message, sending first; the id is the one that its producer gave."""
    found: list[Trace] = []
    for message in await client.finder.by_key(topic, message_id):
        found += decode_traces(message, message_id)
    return sorted(found, key=lambda each: (each.kind != "Pub", each.time_ms))


def decode_traces(message: ReceivedMessage, message_id: str) -> list[Trace]:
    """Return the records of a trace message that are of one message; those that can't be read are left out."""
    found: list[Trace] = []
    for record in message.body.decode("utf-8", "replace").split(_RECORD):
        trace = _decode(record.split(_FIELD), message_id, message.born_host.rpartition(":")[0])
        if trace is not None:
            found.append(trace)
    return found


def _decode(fields: list[str], message_id: str, sender: str) -> Trace | None:
    try:
        if fields[0] == "Pub" and len(fields) >= _PUB_FIELDS and fields[5] == message_id:
            return Trace(
                kind="Pub",
                group=fields[3],
                host=fields[14] if len(fields) > 14 else sender,
                time_ms=int(fields[1]),
                cost_ms=int(fields[10]),
                success=fields[13 if len(fields) > 13 else 12] == "true",
            )
        if fields[0] == "SubAfter" and len(fields) >= _SUB_FIELDS and fields[2] == message_id:
            with_group = len(fields) > 8
            return Trace(
                kind="Sub",
                group=fields[8] if with_group else "",
                host=sender,
                time_ms=int(fields[7]) if with_group else 0,
                cost_ms=int(fields[3]),
                success=fields[4] == "true",
            )
    except ValueError:
        pass
    return None
