"""What a consumer tells tools of itself (remoting protocol/body/ConsumerRunningInfo, ProcessQueueInfo)."""

from collections.abc import Iterable
from typing import Any

from broker_py.client.process_queue import ProcessQueue
from broker_py.model.subscription import ConsumerData
from broker_py.wire.codes import VERSION_NAME


def running_info(
    data: ConsumerData,
    process_queues: Iterable[ProcessQueue],
    *,
    orderly: bool,
    concurrency: int,
    started_ms: int,
    name_servers: tuple[str, ...],
) -> dict[str, Any]:
    """Return the JSON form; rates are not counted, so `statusTable` is empty."""
    return {
        "properties": {
            "PROP_CLIENT_VERSION": VERSION_NAME,
            "PROP_CONSUMEORDERLY": "true" if orderly else "false",
            "PROP_CONSUME_TYPE": data.consume_type,
            "PROP_CONSUMER_START_TIMESTAMP": str(started_ms),
            "PROP_NAMESERVER_ADDR": ";".join(name_servers),
            "PROP_THREADPOOL_CORE_SIZE": str(concurrency),
            "messageModel": data.message_model,
        },
        "subscriptionSet": [subscription.to_json() for subscription in data.subscriptions],
        "mqTable": {each.queue: _queue_info(each) for each in process_queues},
        "mqPopTable": {},
        "statusTable": {},
        "userConsumerInfo": {},
    }


def _queue_info(process_queue: ProcessQueue) -> dict[str, Any]:
    first, last = process_queue.bounds
    return {
        "commitOffset": process_queue.commit_offset or 0,
        "cachedMsgMinOffset": first,
        "cachedMsgMaxOffset": last,
        "cachedMsgCount": len(process_queue),
        "cachedMsgSizeInMiB": process_queue.bytes >> 20,
        "transactionMsgMinOffset": 0,
        "transactionMsgMaxOffset": 0,
        "transactionMsgCount": 0,
        "locked": process_queue.lease is not None,
        "tryUnlockTimes": 0,
        "lastLockTimestamp": process_queue.lease.since_ms if process_queue.lease is not None else 0,
        "droped": process_queue.dropped,
        "lastPullTimestamp": process_queue.pulled_ms,
        "lastConsumeTimestamp": process_queue.consumed_ms,
    }
