"""Requests of a popping client, and what it makes of the replies."""

from typing import Any

from broker_py.message.properties import decode_properties
from broker_py.wire.command import Reply
from tests.unit.broker.site import ext_of, records_of

RETRY = "%RETRY%g_T"


def a_pop(**fields: Any) -> dict[str, Any]:
    """Return the ext fields of a pop of any queue."""
    return {
        "consumerGroup": "g",
        "topic": "T",
        "queueId": -1,
        "maxMsgNums": 32,
        "invisibleTime": 10_000,
        "pollTime": 0,
        "bornTime": 0,
        "initMode": 0,
        **fields,
    }


def extra_infos(reply: Reply) -> list[dict[str, Any]]:
    """Return, for each message, the fields of its ack, composed as the Java client does."""
    ext = ext_of(reply)
    starts = {tuple(part.split(" ")[:2]): part.split(" ")[2] for part in ext["startOffsetInfo"].split(";")}
    acks: list[dict[str, Any]] = []
    for record in records_of(reply):
        text = decode_properties(record.properties).get("POP_CK")
        if text is None:
            start = starts["0", str(record.queue_id)]
            text = (
                f"{start} {ext['popTime']} {ext['invisibleTime']} {ext['reviveQid']} 0 broker-a "
                f"{record.queue_id} {record.queue_offset}"
            )
        topic = RETRY if text.split(" ")[4] == "1" else "T"
        acks.append(
            {
                "consumerGroup": "g",
                "topic": topic,
                "queueId": record.queue_id,
                "offset": record.queue_offset,
                "extraInfo": text,
            }
        )
    return acks
