"""A broker for tests of clients and tools: our remoting server, a store in memory, answers as RocketMQ gives them."""

import asyncio
from collections.abc import Callable
from struct import unpack_from
from typing import Any

from broker_py.errors import RequestRefused
from broker_py.message.properties import decode_properties
from broker_py.message.record import decode_record
from broker_py.model.group import GroupConfig
from broker_py.model.message_queue import MessageQueue
from broker_py.model.subscription import Heartbeat
from broker_py.model.topic import TopicConfig
from broker_py.remoting.config import ServerConfig
from broker_py.remoting.outbox import Outbox
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.remoting.server import RemotingServer
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.fastjson import dumps, loads_object
from broker_py.wire.header import decode_header, encode_header
from broker_py.wire.headers.admin import ConsumeStatsRequest, CreateTopicRequest, DeleteGroupRequest, TopicRequest
from broker_py.wire.headers.clients import ClientRequest, ConsumerGroupRequest, UnregisterClientRequest
from broker_py.wire.headers.offsets import QueryOffsetRequest, QueueRequest, SearchOffsetRequest, UpdateOffsetRequest
from broker_py.wire.headers.pull import (
    PULL_COMMIT_OFFSET,
    PULL_SUSPEND,
    PullRequest,
    QueryMessageRequest,
    ViewMessageRequest,
)
from broker_py.wire.headers.send import decode_send
from tests.unit.client.fake_store import FIRST_STORED_MS, FakeStore


class FakeServer:
    """A remoting server on a free port; `refuse` has codes that it answers with an error instead, and how often."""

    def __init__(self) -> None:
        self.router = Router()
        self.refuse: dict[int, tuple[int, int]] = {}
        self.requests: list[Command] = []
        self.address = ""
        self._server = RemotingServer(ServerConfig(bind_address="127.0.0.1"), self.router, Outbox())

    def on(self, code: int, header_type: Any, handle: Any) -> None:
        """Serve a code by a function of the typed header and the command (and the connection, if it takes three)."""

        def route(command: Command, peer: Peer) -> Any:
            self.requests.append(command)
            answer, times = self.refuse.get(code, (0, 0))
            if times:
                self.refuse[code] = (answer, times - 1)
                raise RequestRefused(answer, "refused by the test")
            header = decode_header(header_type, command.ext) if header_type else None
            return handle(header, command, peer)

        self.router.on_command(code, route)

    async def start(self) -> None:
        """Listen."""
        self.address = f"127.0.0.1:{self._server.bind(0)}"
        await self._server.start()

    async def stop(self) -> None:
        """Close all connections."""
        await self._server.stop()


def json_reply(value: Any) -> Reply:
    """Return a reply with a JSON body."""
    return Reply(body=dumps(value))


class FakeBroker(FakeServer):
    """One broker; those of one name share a store."""

    def __init__(self, name: str, store: FakeStore, broker_id: int = 0, cluster: str = "C") -> None:
        super().__init__()
        self.name, self.store, self.broker_id, self.cluster = name, store, broker_id, cluster
        self.runtime = {
            "brokerVersionDesc": "V5_1_0",
            "brokerActive": "true",
            "putTps": "12.5 3.0 1.0",
            "getTransferredTps": "7.25 3.0 1.0",
            "commitLogDiskRatio": "0.25",
            "commitLogMinOffset": "0",
            "commitLogMaxOffset": "100",
            "dispatchBehindBytes": "0",
            "putMessageTimesTotal": "1",
            "earliestMessageTimeStamp": str(FIRST_STORED_MS),
            "msgPutTotalYesterdayMorning": "5",
            "msgPutTotalTodayMorning": "25",
            "msgPutTotalTodayNow": "125",
        }
        self.replication: dict[str, Any] = {"master": True, "masterCommitLogMaxOffset": 0, "haConnectionInfo": []}
        self.queues_of_clients: dict[str, list[MessageQueue]] = {}
        self.running_info: dict[str, Any] = {}
        self.before_runtime_info: Callable[[], None] = lambda: None
        self.before_put_topic: Callable[[CreateTopicRequest], None] = lambda _: None
        self.answer_sends_with = ResponseCode.SUCCESS
        self._connections: dict[str, Peer] = {}
        self._grown = asyncio.Event()
        self._serve_topics()
        self._serve_messages()
        self._serve_groups()
        self._serve_settings()

    def _queue(self, topic: str, queue_id: int) -> MessageQueue:
        return MessageQueue(topic, self.name, queue_id)

    def _config(self, topic: str) -> TopicConfig:
        if topic not in self.store.topics:
            raise RequestRefused(ResponseCode.TOPIC_NOT_EXIST, f"topic[{topic}] not exist\nSee a page of ours")
        return self.store.topics[topic]

    # Topics

    def _serve_topics(self) -> None:
        self.on(RequestCode.UPDATE_AND_CREATE_TOPIC, CreateTopicRequest, self._put_topic)
        self.on(RequestCode.GET_TOPIC_CONFIG, TopicRequest, lambda h, *_: json_reply(self._config(h.topic).to_json()))
        self.on(RequestCode.DELETE_TOPIC_IN_BROKER, TopicRequest, self._delete_topic)
        self.on(RequestCode.GET_TOPIC_STATS_INFO, TopicRequest, self._topic_status)
        self.on(RequestCode.GET_ALL_TOPIC_CONFIG, None, self._all_topics)

    def _put_topic(self, header: CreateTopicRequest, *_: Any) -> Reply:
        self.before_put_topic(header)
        self.store.topics[header.topic] = TopicConfig(
            topic_name=header.topic,
            read_queue_nums=header.read_queue_nums,
            write_queue_nums=header.write_queue_nums,
            perm=header.perm,
            topic_sys_flag=header.topic_sys_flag,
            order=header.order,
            attributes={"changes": header.attributes} if header.attributes else {},
        )
        return Reply()

    def _delete_topic(self, header: TopicRequest, *_: Any) -> Reply:
        self.store.topics.pop(header.topic, None)
        return Reply()

    def _all_topics(self, *_: Any) -> Reply:
        return json_reply({"topicConfigTable": {name: each.to_json() for name, each in self.store.topics.items()}})

    def _topic_status(self, header: TopicRequest, *_: Any) -> Reply:
        table = {}
        config = self._config(header.topic)
        for queue_id in range(config.write_queue_nums):  # as RocketMQ: what is only read is not told
            count = len(self.store.queue(header.topic, queue_id))
            last_ms = FIRST_STORED_MS if count else 0
            fields = {"minOffset": 0, "maxOffset": count, "lastUpdateTimestamp": last_ms}
            table[self._queue(header.topic, queue_id)] = fields
        return json_reply({"offsetTable": table})

    # Messages

    def _serve_messages(self) -> None:
        self.on(RequestCode.SEND_MESSAGE_V2, None, self._send)
        self.on(RequestCode.PULL_MESSAGE, PullRequest, self._pull)
        self.on(RequestCode.GET_MIN_OFFSET, QueueRequest, lambda *_: Reply(ext={"offset": "0"}))
        self.on(RequestCode.GET_MAX_OFFSET, QueueRequest, self._max_offset)
        self.on(RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, SearchOffsetRequest, self._search)
        self.on(RequestCode.QUERY_CONSUMER_OFFSET, QueryOffsetRequest, self._query_offset)
        self.on(RequestCode.UPDATE_CONSUMER_OFFSET, UpdateOffsetRequest, self._update_offset)
        self.on(RequestCode.QUERY_MESSAGE, QueryMessageRequest, self._by_key)
        self.on(RequestCode.VIEW_MESSAGE_BY_ID, ViewMessageRequest, self._view)

    def _by_key(self, header: QueryMessageRequest, *_: Any) -> Reply:
        name = "UNIQ_KEY" if header.unique else "KEYS"
        found = [
            record
            for (topic, _), records in self.store.queues.items()
            for record in records
            if topic == header.topic
            and header.key in decode_properties(decode_record(record).properties).get(name, "").split(" ")
        ]
        return Reply(body=found) if found else Reply(ResponseCode.QUERY_NOT_FOUND, "can not find message")

    def _view(self, header: ViewMessageRequest, *_: Any) -> Reply:
        for record in (record for records in self.store.queues.values() for record in records):
            if decode_record(record).log_offset == header.offset:
                return Reply(body=record)
        return Reply(ResponseCode.SYSTEM_ERROR, f"can not find message by the offset, {header.offset}")

    def _send(self, _header: None, command: Command, _peer: Peer) -> Reply:
        request = decode_send(command)
        offset = self.store.put(request, command.body)
        self._grown.set()
        return Reply(
            self.answer_sends_with,
            ext={"msgId": f"ID{offset}", "queueId": str(request.queue_id), "queueOffset": str(offset)},
        )

    def _pull(self, header: PullRequest, *_: Any) -> Any:
        self._config(header.topic)
        if header.sys_flag & PULL_COMMIT_OFFSET:
            self.store.offsets[header.consumer_group, header.topic, header.queue_id] = header.commit_offset
        reply = self._pull_now(header)
        if reply.code == ResponseCode.PULL_NOT_FOUND and header.sys_flag & PULL_SUSPEND:
            return self._pull_later(header)
        return reply

    def _pull_now(self, header: PullRequest) -> Reply:
        queue = self.store.queue(header.topic, header.queue_id)
        start = header.queue_offset
        records = queue[start : start + header.max_msg_nums]
        code = ResponseCode.SUCCESS if records else ResponseCode.PULL_NOT_FOUND
        if start > len(queue):
            code, start = ResponseCode.PULL_OFFSET_MOVED, len(queue)
        return Reply(
            code,
            ext={
                "suggestWhichBrokerId": str(self.broker_id),
                "nextBeginOffset": str(start + len(records)),
                "minOffset": "0",
                "maxOffset": str(len(queue)),
            },
            body=records,
        )

    async def _pull_later(self, header: PullRequest) -> Reply:
        self._grown.clear()
        if self._pull_now(header).code == ResponseCode.PULL_NOT_FOUND:  # nothing came before this began
            await self._grown.wait()
        return self._pull_now(header)

    def _max_offset(self, header: QueueRequest, *_: Any) -> Reply:
        return Reply(ext={"offset": str(len(self.store.queue(header.topic, header.queue_id)))})

    def _search(self, header: SearchOffsetRequest, *_: Any) -> Reply:
        times = [unpack_from(">q", record, 56)[0] for record in self.store.queue(header.topic, header.queue_id)]
        return Reply(ext={"offset": str(sum(stored_ms < header.timestamp for stored_ms in times))})

    def _query_offset(self, header: QueryOffsetRequest, *_: Any) -> Reply:
        offset = self.store.offsets.get((header.consumer_group, header.topic, header.queue_id))
        return Reply(ResponseCode.QUERY_NOT_FOUND) if offset is None else Reply(ext={"offset": str(offset)})

    def _update_offset(self, header: UpdateOffsetRequest, *_: Any) -> Reply:
        self.store.offsets[header.consumer_group, header.topic, header.queue_id] = header.commit_offset
        return Reply()

    # Groups

    def _serve_groups(self) -> None:
        self.on(RequestCode.HEART_BEAT, None, self._heartbeat)
        self.on(RequestCode.UNREGISTER_CLIENT, UnregisterClientRequest, self._unregister)
        self.on(RequestCode.GET_CONSUMER_LIST_BY_GROUP, ConsumerGroupRequest, self._member_list)
        self.on(RequestCode.GET_CONSUMER_CONNECTION_LIST, ConsumerGroupRequest, self._member_connections)
        self.on(RequestCode.GET_CONSUME_STATS, ConsumeStatsRequest, self._progress)
        self.on(RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, TopicRequest, self._groups_of)
        self.on(RequestCode.GET_CONSUMER_RUNNING_INFO, ClientRequest, self._running_info)
        self.on(RequestCode.GET_ALL_CONSUMER_OFFSET, None, self._all_offsets)
        self.on(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, None, self._all_groups)
        self.on(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, None, self._put_group)
        self.on(RequestCode.DELETE_SUBSCRIPTIONGROUP, DeleteGroupRequest, self._delete_group)

    def _heartbeat(self, _header: None, command: Command, peer: Peer) -> Reply:
        heartbeat = Heartbeat.from_json(loads_object(command.body))
        self._connections[heartbeat.client_id] = peer
        for consumer in heartbeat.consumers:
            if self.store.join(heartbeat.client_id, consumer):
                self._notify(consumer.group_name)
        return Reply()

    def _unregister(self, header: UnregisterClientRequest, *_: Any) -> Reply:
        group = header.consumer_group or ""
        if self.store.members.get(group, {}).pop(header.client_id, None):
            self._notify(group)
        return Reply()

    def _notify(self, group: str) -> None:
        for client_id in self.store.members[group]:
            if client_id in self._connections:
                header = encode_header(ConsumerGroupRequest(consumer_group=group))
                self._connections[client_id].send(Command(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, header))

    def _member_list(self, header: ConsumerGroupRequest, *_: Any) -> Reply:
        return json_reply({"consumerIdList": list(self.store.members.get(header.consumer_group, {}))})

    def _member_connections(self, header: ConsumerGroupRequest, *_: Any) -> Reply:
        members = self.store.members.get(header.consumer_group)
        if not members:
            raise RequestRefused(ResponseCode.CONSUMER_NOT_ONLINE, "no consumer is online")
        connections = [
            {"clientId": each, "clientAddr": "10.0.0.9:40000", "language": "PYTHON", "version": 433} for each in members
        ]
        first = next(iter(members.values()))
        return json_reply(
            {
                "connectionSet": connections,
                "consumeType": first.consume_type,
                "messageModel": first.message_model,
                "subscriptionTable": {each.topic: each.to_json() for each in first.subscriptions},
            }
        )

    def _progress(self, header: ConsumeStatsRequest, *_: Any) -> Reply:
        table = {}
        for (group, topic, queue_id), offset in self.store.offsets.items():
            if group == header.consumer_group and header.topic in {None, topic}:
                fields = {"consumerOffset": offset, "pullOffset": offset + 1, "lastTimestamp": FIRST_STORED_MS}
                fields["brokerOffset"] = len(self.store.queue(topic, queue_id))
                table[self._queue(topic, queue_id)] = fields
        return json_reply({"consumeTps": 1.5, "offsetTable": table})

    def _groups_of(self, header: TopicRequest, *_: Any) -> Reply:
        groups = {group for group, topic, _ in self.store.offsets if topic == header.topic}
        for group, members in self.store.members.items():
            subscribed = {each.topic for member in members.values() for each in member.subscriptions}
            groups |= {group} if header.topic in subscribed else set()
        return json_reply({"groupList": sorted(groups)})

    def _running_info(self, header: ClientRequest, *_: Any) -> Reply:
        queues = self.queues_of_clients.get(header.client_id or "", [])
        return json_reply({"mqTable": {queue: {"locked": False} for queue in queues}, **self.running_info})

    def _all_offsets(self, *_: Any) -> Reply:
        table: dict[str, dict[int, int]] = {}
        for (group, topic, queue_id), offset in self.store.offsets.items():
            table.setdefault(f"{topic}@{group}", {})[queue_id] = offset
        return json_reply({"offsetTable": table})

    def _all_groups(self, *_: Any) -> Reply:
        table = {name: each.to_json() for name, each in self.store.groups.items()}
        return json_reply({"subscriptionGroupTable": table})

    def _put_group(self, _header: None, command: Command, _peer: Peer) -> Reply:
        group = GroupConfig.from_json(loads_object(command.body))
        self.store.groups[group.group_name] = group
        return Reply()

    def _delete_group(self, header: DeleteGroupRequest, *_: Any) -> Reply:
        self.store.groups.pop(header.group_name, None)
        if header.clean_offset:
            self.store.offsets = {key: each for key, each in self.store.offsets.items() if key[0] != header.group_name}
        return Reply()

    # Settings

    def _serve_settings(self) -> None:
        self.on(RequestCode.GET_BROKER_RUNTIME_INFO, None, self._runtime_info)
        self.on(RequestCode.GET_BROKER_CONFIG, None, self._get_config)
        self.on(RequestCode.UPDATE_BROKER_CONFIG, None, self._update_config)
        self.on(RequestCode.GET_BROKER_HA_STATUS, None, lambda *_: json_reply(self.replication))

    def _runtime_info(self, *_: Any) -> Reply:
        self.before_runtime_info()
        return json_reply({"table": self.runtime})

    def _get_config(self, *_: Any) -> Reply:
        own = {"brokerClusterName": self.cluster, "brokerName": self.name, "brokerId": self.broker_id}
        if self.broker_id:
            own["brokerRole"] = "SLAVE"
        properties = {**self.store.config, **own}
        return Reply(body="".join(f"{name}={value}\n" for name, value in properties.items()).encode())

    def _update_config(self, _header: None, command: Command, _peer: Peer) -> Reply:
        changes = [line.partition("=") for line in command.body.decode().splitlines()]
        for name, _, value in changes:
            if name not in self.store.config:
                raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"{name} is not a property")
            self.store.config[name] = value
        return Reply()
