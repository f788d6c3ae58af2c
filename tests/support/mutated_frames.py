"""Frames that no sane peer sends, the same ones for a seed: valid requests with something wrong in them.

A frame is made in three steps, each of which may spoil it: fields and body of a request (`Requests`), the header that
carries them, and the bytes. Requests name nothing that a healthy client uses, so that those that turn out to be valid
harm nobody: topics, groups and brokers are called `Fuzz...`.
"""

import json
import pkgutil
import zlib
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from importlib import import_module
from random import Random
from struct import pack, unpack_from
from typing import Any, Final

import broker_py.wire.headers
from broker_py.message.properties import encode_properties
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import FLAG_ONEWAY, FLAG_RESPONSE, TYPE_BINARY, TYPE_JSON, Command
from broker_py.wire.frame import encode_command
from broker_py.wire.header import camel

CODES: Final = sorted(code for name, code in vars(RequestCode).items() if not name.startswith("_"))
_SEND_LETTERS: Final = "abcdefghijklm"
_SEND_NAMES: Final = (
    *("producerGroup", "topic", "defaultTopic", "defaultTopicQueueNums", "queueId", "sysFlag", "bornTimestamp"),
    *("flag", "properties", "reconsumeTimes", "unitMode", "maxReconsumeTimes", "batch"),
)
_SENDS: Final = (RequestCode.SEND_MESSAGE_V2, RequestCode.SEND_BATCH_MESSAGE)
# What is asked of everybody, and may be changed by anybody who is valid: only with values that change nothing.
_CONFIG_CODES: Final = (RequestCode.UPDATE_BROKER_CONFIG, RequestCode.UPDATE_NAMESRV_CONFIG)

_FIXED: Final = {
    "attributes": "+message.type=NORMAL",
    "bodyCrc32": "0",
    "compressed": "false",
    "expressionType": "TAG",
    "subscription": "A || B",
    "topicFilterType": "SINGLE_TAG",
}
_NUMBERS: Final = ("0", "1", "-1", "3", "7", "32", "2147483647", "2147483648", "-2147483649", "9223372036854775807")
_STRANGE: Final = (
    *("", " ", "null", "NaN", "1e9", "0x10", "1_0", "1.5", "9" * 30, "9" * 5000, "-", "true", "TRUE", "{}", "[]"),
    *("\x00", "\x01\x02", "FuzzÄ", "Fuzz\n\r", "Fuzz/../..", "%RETRY%", "%DLQ%FuzzG", "Fuzz" * 64, "😀", "٣"),
    *("*", "A || B", "||", "a > 1", "SQL92", "TAG", "127.0.0.1:1", "[::1]:2", "host:99999", "RMQ_SYS_TRANS_HALF_TOPIC"),
)


def _wire_names() -> dict[str, str]:
    """The names of all ext fields that our headers have, and what kind of value each has: `int`, `bool` or `str`."""
    names: dict[str, str] = {}
    for module in pkgutil.iter_modules(broker_py.wire.headers.__path__):
        for value in vars(import_module(f"{broker_py.wire.headers.__name__}.{module.name}")).values():
            if isinstance(value, type) and is_dataclass(value):
                for field in fields(value):
                    kind = next(kind for kind in ("int", "bool", "str") if kind in str(field.type))
                    names[field.metadata.get("wire", camel(field.name))] = kind
    return dict(sorted(names.items()))


_NAMES: Final = _wire_names()


class Requests:
    """Requests of all kinds: most of their fields make sense, so that they get deep into the handlers."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def next(self) -> Command:
        """Return a request, maybe with spoilt fields or a spoilt body."""
        random = self._random
        code = random.choice(CODES) if random.random() < 0.95 else random.randrange(-(1 << 15), 1 << 15)
        ext = self._ext(code)
        if random.random() < 0.6:
            for _ in range(random.choice((1, 1, 2, 5))):
                self._spoil(ext)
        flag = random.choice((0, 0, 0, 0, FLAG_ONEWAY, FLAG_RESPONSE, -1, 1 << 20))
        return Command(
            code,
            ext,
            self._body(code),
            flag=flag,
            opaque=random.randrange((1 << 31) - 1),
            version=random.choice((0, 399, 433, 32767)),
            serialize_type=random.choice((TYPE_BINARY, TYPE_JSON)),
        )

    def _ext(self, code: int) -> dict[str, str]:
        ext = {name: self._plausible(name) for name in _NAMES}
        if code in _SENDS:
            ext |= dict(zip(_SEND_LETTERS, self._send_fields(), strict=True))
        elif code == RequestCode.SEND_MESSAGE:
            ext |= dict(zip(_SEND_NAMES, self._send_fields(), strict=True))
        return ext

    def _send_fields(self) -> list[str]:
        queue = str(self._random.randrange(-1, 5))
        head = ["FuzzP", self._topic(), "TBW102", "4", queue, str(self._random.choice((0, 0, 1, 4, 8, 16, 2048)))]
        return [*head, "1700000000000", "0", self._properties(), "0", "false", "3", "false"]

    def _properties(self) -> str:
        random = self._random
        names = ("KEYS", "TAGS", "DELAY", "TRAN_MSG", "UNIQ_KEY", "TIMER_DELIVER_MS", "INNER_NUM", "WAIT", "MSG_TYPE")
        return encode_properties({name: random.choice(("A", "1", "true")) for name in random.sample(names, 3)}).decode()

    def _topic(self) -> str:
        return f"Fuzz{self._random.randrange(20)}"

    def _plausible(self, name: str) -> str:
        random = self._random
        kind, lower = _NAMES[name], name.lower()
        if name in _FIXED:
            return _FIXED[name]
        if kind == "int":
            return random.choice(("0", "0", "0", "1", "2", "4"))
        if kind == "bool":
            return random.choice(("true", "false"))
        if "topic" in lower:
            return self._topic()
        if "group" in lower:
            return f"FuzzG{random.randrange(10)}"
        return f"Fuzz{random.randrange(3)}"

    def _spoil(self, ext: dict[str, str]) -> None:
        random = self._random
        name = random.choice(list(ext))
        choice = random.random()
        if choice < 0.2:
            del ext[name]
        elif choice < 0.6:
            ext[name] = random.choice(_NUMBERS)
        elif choice < 0.95:
            ext[name] = random.choice(_STRANGE)
        else:
            ext[random.choice(_STRANGE)] = random.choice(_STRANGE)

    def _body(self, code: int) -> bytes:
        random = self._random
        if code in _CONFIG_CODES:
            return random.choice((b"", b"noSuchKey=1", b"traceOn=maybe", b"\xff\xfe", b"=\n=", b"brokerName=Fuzz"))
        choice = random.random()
        if choice < 0.1:
            return b""
        if choice < 0.2:
            return random.randbytes(random.randrange(200))
        body = self._batch() if code == RequestCode.SEND_BATCH_MESSAGE else json.dumps(self._json(code)).encode()
        if choice < 0.3:
            body = zlib.compress(body)
        elif choice < 0.5:
            body = _damaged(random, body)
        elif choice < 0.55:
            body = b"[" * random.choice((10, 1000, 200_000))
        elif choice < 0.6:
            body = b'{"a":' * random.choice((10, 1000, 50_000)) + b"1"
        return body

    def _batch(self) -> bytes:
        """The messages of a batch: `total, magic, crc, flag, length, body, length, properties` each."""
        properties = self._properties().encode()
        item = pack(">iiii", 0, 0, 0, 2) + b"hi" + pack(">h", len(properties)) + properties
        return (pack(">i", 4 + len(item)) + item) * self._random.randrange(4)

    def _json(self, code: int) -> Any:
        """A body that suits the code, or another one, with a value of a wrong type here and there."""
        makers: dict[int, Callable[[], Any]] = {
            RequestCode.HEART_BEAT: self._heartbeat,
            RequestCode.REGISTER_BROKER: self._register,
            RequestCode.LOCK_BATCH_MQ: self._lock,
            RequestCode.UNLOCK_BATCH_MQ: self._lock,
            RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP: self._group,
            RequestCode.REGISTER_TOPIC_IN_NAMESRV: self._topic_route,
        }
        maker = makers.get(code) if self._random.random() < 0.9 else None
        value = (maker or self._random.choice(list(makers.values())))()
        return self._twisted(value) if self._random.random() < 0.5 else value

    def _heartbeat(self) -> Any:
        subscription = {
            "topic": self._topic(),
            "subString": "A || B",
            "tagsSet": ["A", "B"],
            "codeSet": [65, 66],
            "subVersion": 1,
            "expressionType": "TAG",
            "classFilterMode": False,
        }
        consumer = {
            "groupName": f"FuzzG{self._random.randrange(10)}",
            "consumeType": "CONSUME_PASSIVELY",
            "messageModel": "CLUSTERING",
            "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET",
            "subscriptionDataSet": [subscription],
            "unitMode": False,
        }
        return {"clientID": "Fuzz@1", "consumerDataSet": [consumer], "producerDataSet": [{"groupName": "FuzzP"}]}

    def _register(self) -> Any:
        topic = {"topicName": self._topic(), "perm": 6, "readQueueNums": 4, "writeQueueNums": 4, "topicSysFlag": 0}
        wrapper = {
            "dataVersion": {"counter": 1, "stateVersion": 0, "timestamp": 1},
            "topicConfigTable": {"FuzzA": {**topic, "topicName": "FuzzA"}, topic["topicName"]: topic},
        }
        return {"filterServerList": [], "topicConfigSerializeWrapper": wrapper}

    def _lock(self) -> Any:
        queues = [{"topic": self._topic(), "brokerName": "Fuzz", "queueId": number} for number in range(3)]
        return {"consumerGroup": "FuzzG1", "clientId": "Fuzz@1", "mqSet": queues}

    def _group(self) -> Any:
        return {"groupName": "FuzzG1", "retryMaxTimes": 16, "retryQueueNums": 1, "consumeEnable": True, "brokerId": 0}

    def _topic_route(self) -> Any:
        queue = {"brokerName": "Fuzz1", "perm": 6, "readQueueNums": 4, "writeQueueNums": 4, "topicSysFlag": 0}
        broker = {"brokerName": "Fuzz1", "cluster": "Fuzz0", "brokerAddrs": {"0": "127.0.0.1:1"}}
        return {"queueDatas": [queue], "brokerDatas": [broker]}

    def _twisted(self, value: Any) -> Any:
        """Return a copy in which something has another type, is missing or huge."""
        random = self._random
        if random.random() < 0.25 or not isinstance(value, dict | list) or not value:
            wrong: tuple[Any, ...] = (
                None,
                [],
                {},
                "",
                "Fuzz\ud800",
                -1,
                1 << 40,
                10**400,
                1.5,
                True,
                [[]],
                {"": {}},
                "9" * 5000,
            )
            return random.choice(wrong)
        if isinstance(value, list):
            return [*value[1:], self._twisted(value[0])]
        name = random.choice(list(value))
        if random.random() < 0.2:
            return {key: item for key, item in value.items() if key != name}
        return {**value, name: self._twisted(value[name])}


def _damaged(random: Random, data: bytes) -> bytes:
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


class MutatedFrames:
    """An endless row of frames; `sound` ones keep their connection alive, the others may end it."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._requests = Requests(random)

    def sound(self) -> bytes:
        """Return a frame that is well-formed but for what it says."""
        return encode_command(self._requests.next())

    def unsound(self) -> bytes:
        """Return a frame that breaks the format somewhere, or bytes that are no frame at all."""
        random = self._random
        frame = self.sound()
        return random.choice((self._flipped, self._lying, self._typed, self._header, self._noise, self._cut))(frame)

    def _flipped(self, frame: bytes) -> bytes:
        return _damaged(self._random, frame)

    def _cut(self, frame: bytes) -> bytes:
        return frame[: self._random.randrange(len(frame))]

    def _noise(self, frame: bytes) -> bytes:
        return self._random.randbytes(self._random.randrange(1, 64))

    def _lying(self, frame: bytes) -> bytes:
        """The frame with a wrong total, or with a wrong length of its header."""
        total, mark = unpack_from(">iI", frame)
        lie = self._random.choice(
            (-(1 << 31), -1, 0, 1, 3, 4, 8, total - 1, total + 1, 1 << 20, 1 << 24, (1 << 31) - 1)
        )
        if self._random.random() < 0.5:
            return pack(">iI", lie, mark) + frame[8:]
        return pack(">iI", total, (mark & 0xFF000000) | (lie & 0xFFFFFF)) + frame[8:]

    def _typed(self, frame: bytes) -> bytes:
        """The frame with another type of header than it has."""
        kind = self._random.choice((0, 1, 2, 127, 255))
        return frame[:4] + bytes((kind,)) + frame[5:]

    def _header(self, frame: bytes) -> bytes:
        """A JSON header of which a value is of a wrong type or size, or that is no object."""
        random = self._random
        header: dict[str, Any] = {"code": 105, "flag": 0, "opaque": 1, "language": "JAVA", "version": 433}
        wrong = (
            *('""', "null", "true", "1.5", "1e400", "-1", "99999999999", "9" * 5000, "NaN", "Infinity", "[]", "{}"),
            *(
                '"\\ud800"',
                '{"topic":"\\ud800"}',
                '{"topic":null}',
                '{"topic":1}',
                '{"topic":{}}',
                '{"a":"b","a":"c"}',
                "[" * 100_000,
            ),
        )
        name = random.choice([*header, "extFields", "remark", "serializeTypeCurrentRPC", "unknown"])
        items = [f'"{key}":{json.dumps(value)}' for key, value in header.items() if key != name]
        text = "{" + ",".join([*items, f'"{name}":{random.choice(wrong)}']) + "}"
        if random.random() < 0.1:
            text = random.choice(("", "[]", "1", '"x"', "null", "\ufeff{}", "{", "{}"))
        data = text.encode()
        return pack(">iI", 4 + len(data), len(data)) + data
