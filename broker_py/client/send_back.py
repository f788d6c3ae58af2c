"""Messages that a group wants again later (client impl/consumer/DefaultMQPushConsumerImpl.sendMessageBack)."""

import logging
from typing import Final

from broker_py.client.instance import Instance
from broker_py.client.messages import OutgoingMessage, ReceivedMessage
from broker_py.client.namespaces import with_namespace
from broker_py.client.producer import Producer
from broker_py.client.queues import master_address
from broker_py.errors import BrokerPyError, Unreachable
from broker_py.message.properties import (
    DELAY,
    MAX_RECONSUME_TIMES,
    ORIGIN_MESSAGE_ID,
    RECONSUME_TIME,
    RETRY_TOPIC,
    TRAN_MSG,
    UNIQ_KEY,
)
from broker_py.model.message_queue import MessageQueue
from broker_py.model.topic import retry_topic
from broker_py.remoting.connection import expect_success
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command
from broker_py.wire.header import encode_header
from broker_py.wire.headers.clients import SendBackRequest

log = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 5.0
_INNER_GROUP: Final = "CLIENT_INNER_PRODUCER"


class SendBack:
    """Has brokers deliver messages to the group once more, or put them aside after `max_reconsume_times`."""

    def __init__(self, instance: Instance, group: str, max_reconsume_times: int) -> None:
        self._instance = instance
        self._group = group
        self._max_reconsume_times = max_reconsume_times
        self._producer = Producer(instance, _INNER_GROUP)

    async def by_broker(self, queue: MessageQueue, message: ReceivedMessage, delay_level: int) -> bool:
        """Have its broker do it, or, where that fails, send the message anew; False when both fail."""
        header = SendBackRequest(
            offset=message.log_offset,
            group=self._group,
            delay_level=delay_level,
            origin_msg_id=message.message_id,
            origin_topic=with_namespace(self._instance.namespace, message.topic),
            max_reconsume_times=self._max_reconsume_times,
        )
        try:
            route = await self._instance.routes.find(queue.topic)
            address = master_address(route, queue.broker_name)
            if address is None:
                raise Unreachable(f"{queue.broker_name} has no master")
            request = Command(RequestCode.CONSUMER_SEND_MSG_BACK, encode_header(header))
            expect_success(await self._instance.remoting.request(address, request, TIMEOUT_SECONDS))
            return True
        except BrokerPyError as error:
            log.warning("group %s can't send %s back, and sends it anew: %s", self._group, message.message_id, error)
        return await self.anew(message, message.reconsume_times + 1)

    async def anew(self, message: ReceivedMessage, reconsume_times: int) -> bool:
        """Send the message to the group's retry topic; False when that fails."""
        properties = {
            name: value for name, value in message.properties.items() if name not in {TRAN_MSG, UNIQ_KEY, DELAY}
        }
        properties.setdefault(ORIGIN_MESSAGE_ID, message.message_id)
        properties[RETRY_TOPIC] = with_namespace(self._instance.namespace, message.topic)
        properties[RECONSUME_TIME] = str(reconsume_times)
        properties[MAX_RECONSUME_TIMES] = str(self._max_reconsume_times)
        try:
            await self._producer.send(
                OutgoingMessage(
                    topic=retry_topic(self._group),
                    body=message.body,
                    properties=properties,
                    delay_level=3 + message.reconsume_times,
                )
            )
            return True
        except BrokerPyError as error:
            log.warning("group %s can't have %s later: %s", self._group, message.message_id, error)
            return False
