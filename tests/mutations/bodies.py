"""Bodies of requests: what suits the request code most of the time, with something wrong in it."""

import json
import zlib
from collections.abc import Callable
from random import Random
from struct import pack
from typing import Any, Final

from broker_py.message.properties import encode_properties
from broker_py.model.data_version import DataVersion
from broker_py.model.topic import TopicConfig
from broker_py.wire.codes import RequestCode
from broker_py.wire.register_body import RegisterBody

# What is asked of everybody, and may be changed by anybody who is valid: only with values that change nothing.
_CONFIG_CODES: Final = (RequestCode.UPDATE_BROKER_CONFIG, RequestCode.UPDATE_NAMESRV_CONFIG)
_CONFIGS: Final = (b"", b"noSuchKey=1", b"traceOn=maybe", b"\xff\xfe", b"=\n=", b"brokerName=Fuzz", b"\\u", b"a" * 9999)
_MESSAGES: Final = (RequestCode.SEND_MESSAGE, RequestCode.SEND_MESSAGE_V2, RequestCode.CONSUMER_SEND_MSG_BACK)
_HUGE: Final = 1_000_000
_CROWD: Final = 5000
_WRONG: Final[tuple[Any, ...]] = (
    *(None, [], {}, "", "Fuzz\ud800", -1, 1 << 40, 1 << 63, 10**400, 1.5, 1e308, True, [[]], {"": {}}, "9" * 5000),
    *("Fuzz" * 500, [None], [1, "a"], {"0": 0}, "\x00", "\x01\x02"),
)
# Text that is no JSON, or JSON in a shape that costs much.
_HOSTILE: Final[tuple[Callable[[int], str], ...]] = (
    lambda size: "[" * size,
    lambda size: '{"a":' * (size // 5) + "1",
    lambda size: '{"a":"' + "x" * size,
    lambda size: '{"a":"' + "\\n" * (size // 2),
    lambda size: '{"a":' + "9" * size + "}",
    lambda size: '{"a":-' + "1" * 3 + "e" + "9" * (size // 10) + "}",
    lambda size: "{" + "1:1," * (size // 4) + "}",
    lambda size: "[" + "1," * (size // 2),
    lambda size: "[" + "{}," * (size // 3) + "{}]",
    lambda size: '{"consumerDataSet":[' + "{}," * (size // 3) + "{}]}",
    lambda size: '{"mqSet":[' + "{}," * (size // 3) + "{}]}",
    lambda size: " " * size,
    lambda size: '"' + "\\ud83d" * (size // 6) + '"',
    lambda size: "{" + ",".join(f'"k{number}":{number}' for number in range(size // 12)) + "}",
    lambda size: "{{" * size,
    lambda size: '{{"topic":"Fuzz"}:' * (size // 18),
)


class Bodies:
    """Makes bodies; the same ones for a seed."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._makers: dict[int, Callable[[], Any]] = {
            RequestCode.HEART_BEAT: self._heartbeat,
            RequestCode.REGISTER_BROKER: self._register,
            RequestCode.QUERY_DATA_VERSION: self._version,
            RequestCode.LOCK_BATCH_MQ: self._lock,
            RequestCode.UNLOCK_BATCH_MQ: self._lock,
            RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP: self._group,
            RequestCode.REGISTER_TOPIC_IN_NAMESRV: self._topic_route,
            RequestCode.CHECK_CLIENT_CONFIG: self._client_check,
            RequestCode.QUERY_ASSIGNMENT: self._assignment,
            RequestCode.SET_MESSAGE_REQUEST_MODE: self._mode,
            RequestCode.GET_CLIENT_CONFIG: lambda: {"keys": ["listenPort", "Fuzz"]},
            RequestCode.INVOKE_BROKER_TO_RESET_OFFSET: self._offsets,
            RequestCode.GET_ALL_CONSUMER_OFFSET: self._offsets,
        }

    def make(self, code: int) -> bytes:
        """Return a body for a request."""
        random = self._random
        if code in _CONFIG_CODES:
            return random.choice(_CONFIGS)
        choice = random.random()
        if choice < 0.1:
            return b""
        if choice < 0.17:
            return random.randbytes(random.randrange(200))
        body = self._sound(code)
        if choice < 0.22:
            body = zlib.compress(body)
        elif choice < 0.4:
            body = damaged(random, body)
        elif choice < 0.45:
            body = random.choice(_HOSTILE)(random.choice((10, 100, 1000, 20_000))).encode()
        elif choice < 0.451:
            body = random.choice(_HOSTILE)(_HUGE).encode()
        elif choice < 0.453:
            body = json.dumps(self._crowded(self._plain(code))).encode()
        return body

    def _sound(self, code: int) -> bytes:
        if code == RequestCode.SEND_BATCH_MESSAGE:
            return self._batch()
        if code in _MESSAGES:
            return b"hi"
        if code == RequestCode.REGISTER_BROKER and self._random.random() < 0.4:
            return self._packed_register()
        return json.dumps(self._json(code)).encode()

    def _batch(self) -> bytes:
        """The messages of a batch: `total, magic, crc, flag, length, body, length, properties` each."""
        random = self._random
        properties = message_properties(random).encode()
        item = pack(">iiii", 0, 0, 0, 2) + b"hi" + pack(">h", len(properties)) + properties
        body = (pack(">i", 4 + len(item)) + item) * random.randrange(4)
        if body and random.random() < 0.3:
            place = random.choice((0, 16, len(item) - len(properties) + 2))
            body = body[:place] + pack(">i", random.choice((-1, 0, 3, 1 << 30, -(1 << 31)))) + body[place + 4 :]
        return body

    def _packed_register(self) -> bytes:
        topics = [TopicConfig(topic_name=self._topic(), read_queue_nums=4, write_queue_nums=4, perm=6)]
        version = DataVersion(1_700_000_000_000, 3)
        body = RegisterBody(data_version=version, topics={topic.topic_name: topic for topic in topics})
        packed = body.encode(compressed=True)
        if self._random.random() < 0.5:
            return zlib.compress(damaged(self._random, zlib.decompress(packed)))
        return packed

    def _json(self, code: int) -> Any:
        """A body with a value of a wrong type here and there."""
        value = self._plain(code)
        return self._twisted(value) if self._random.random() < 0.5 else value

    def _plain(self, code: int) -> Any:
        """A body that suits the code, or another one."""
        maker = self._makers.get(code) if self._random.random() < 0.95 else None
        return (maker or self._random.choice(list(self._makers.values())))()

    def _topic(self) -> str:
        return f"Fuzz{self._random.randrange(20)}"

    def _groups(self) -> str:
        return f"FuzzG{self._random.randrange(10)}"

    def _subscription(self) -> Any:
        return {
            "topic": self._topic(),
            "subString": self._random.choice(("A || B", "*", "a > 5", "a IN ('x')", "a >")),
            "tagsSet": ["A", "B"],
            "codeSet": [65, 66],
            "subVersion": 1,
            "expressionType": self._random.choice(("TAG", "SQL92")),
            "classFilterMode": False,
        }

    def _heartbeat(self) -> Any:
        consumer = {
            "groupName": self._groups(),
            "consumeType": "CONSUME_PASSIVELY",
            "messageModel": "CLUSTERING",
            "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET",
            "subscriptionDataSet": [self._subscription()],
            "unitMode": False,
        }
        return {"clientID": "Fuzz@1", "consumerDataSet": [consumer], "producerDataSet": [{"groupName": "FuzzP"}]}

    def _client_check(self) -> Any:
        return {"clientId": "Fuzz@1", "group": self._groups(), "subscriptionData": self._subscription()}

    def _assignment(self) -> Any:
        fields = {"topic": self._topic(), "consumerGroup": self._groups(), "clientId": "Fuzz@1"}
        return {**fields, "messageModel": "CLUSTERING", "strategyName": "AVG"}

    def _mode(self) -> Any:
        return {"topic": self._topic(), "consumerGroup": self._groups(), "mode": "POP", "popShareQueueNum": 1}

    def _offsets(self) -> Any:
        return {"offsetTable": {f"{self._topic()}@{self._groups()}": {"0": 12, "1": 7}}}

    def _version(self) -> Any:
        return {"counter": 1, "stateVersion": 0, "timestamp": 1}

    def _register(self) -> Any:
        topic = {"topicName": self._topic(), "perm": 6, "readQueueNums": 4, "writeQueueNums": 4, "topicSysFlag": 0}
        wrapper = {
            "dataVersion": self._version(),
            "topicConfigTable": {"FuzzA": {**topic, "topicName": "FuzzA"}, topic["topicName"]: topic},
        }
        return {"filterServerList": [], "topicConfigSerializeWrapper": wrapper}

    def _lock(self) -> Any:
        queues = [{"topic": self._topic(), "brokerName": "Fuzz", "queueId": number} for number in range(3)]
        return {"consumerGroup": "FuzzG1", "clientId": "Fuzz@1", "mqSet": queues}

    def _group(self) -> Any:
        return {
            "groupName": self._groups(),
            "retryMaxTimes": 16,
            "retryQueueNums": 1,
            "consumeEnable": True,
            "brokerId": 0,
            "attributes": {},
            "groupRetryPolicy": {"type": "CUSTOMIZED"},
        }

    def _topic_route(self) -> Any:
        queue = {"brokerName": "Fuzz1", "perm": 6, "readQueueNums": 4, "writeQueueNums": 4, "topicSysFlag": 0}
        broker = {"brokerName": "Fuzz1", "cluster": "Fuzz0", "brokerAddrs": {"0": "127.0.0.1:1"}}
        return {"queueDatas": [queue], "brokerDatas": [broker]}

    def _crowded(self, value: Any) -> Any:
        """Return a copy in which a list, or an object, has very many items, all of them sound."""
        if isinstance(value, list) and value:
            return value * (_CROWD // len(value))
        if not isinstance(value, dict) or not value:
            return value
        name = self._random.choice(list(value))
        if isinstance(value[name], (dict, list)) and value[name]:
            return {**value, name: self._crowded(value[name])}
        return {**value, **{f"{name}{number}": value[name] for number in range(_CROWD)}}

    def _twisted(self, value: Any) -> Any:
        """Return a copy in which something has another type, is missing or huge."""
        random = self._random
        if random.random() < 0.25 or not isinstance(value, dict | list) or not value:
            return random.choice(_WRONG)
        if isinstance(value, list):
            return [*value[1:], self._twisted(value[0])]
        name = random.choice(list(value))
        if random.random() < 0.2:
            return {key: item for key, item in value.items() if key != name}
        return {**value, name: self._twisted(value[name])}


def message_properties(random: Random) -> str:
    """Return properties of a message that the broker looks at."""
    names = ("KEYS", "TAGS", "DELAY", "TRAN_MSG", "UNIQ_KEY", "TIMER_DELIVER_MS", "TIMER_DELAY_SEC", "INNER_NUM")
    more = ("WAIT", "MSG_TYPE", "PGROUP", "CLUSTER", "REPLY_TO_CLIENT", "CORRELATION_ID", "TIMER_DEL_UNIQKEY")
    values = ("A", "1", "true", "-1", "99999999999999999999", "", "Fuzz1", "1700000005000")
    return encode_properties({name: random.choice(values) for name in random.sample(names + more, 3)}).decode()


def damaged(random: Random, data: bytes) -> bytes:
    """Return the bytes with some flipped, cut, doubled or overwritten."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        if not changed:
            break
        place = random.randrange(len(changed))
        how = random.randrange(5)
        if how == 0:
            changed[place] ^= 1 << random.randrange(8)
        elif how == 1:
            del changed[place:]
        elif how == 2:
            del changed[place : place + random.randrange(1, 9)]
        elif how == 3:
            changed[place:place] = changed[place : place + random.randrange(1, 30)]
        else:
            changed[place] = random.choice(b'\x00\xff"{}[],:\\')
    return bytes(changed)
