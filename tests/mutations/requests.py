"""Requests of all kinds with something wrong in their fields or bodies, the same ones for a seed.

They name nothing that a healthy client uses, so that those that turn out to be valid harm nobody: topics, groups and
brokers are called `Fuzz...`.
"""

import inspect
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from broker_py.remoting.router import Router
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import FLAG_ONEWAY, FLAG_RESPONSE, TYPE_BINARY, TYPE_JSON, Command
from broker_py.wire.header import _plan
from broker_py.wire.headers.pop import NotificationRequest, PopRequest
from broker_py.wire.headers.pull import PullRequest, QueryMessageRequest
from tests.mutations.bodies import Bodies, message_properties

# The headers of requests whose handlers read them themselves.
_READ_BY_HANDLERS: Final[dict[int, type[Any]]] = {
    RequestCode.PULL_MESSAGE: PullRequest,
    RequestCode.LITE_PULL_MESSAGE: PullRequest,
    RequestCode.QUERY_MESSAGE: QueryMessageRequest,
    RequestCode.POP_MESSAGE: PopRequest,
    RequestCode.NOTIFICATION: NotificationRequest,
}
_LETTERS: Final = "abcdefghijklm"
_NAMES: Final = (
    *("producerGroup", "topic", "defaultTopic", "defaultTopicQueueNums", "queueId", "sysFlag", "bornTimestamp"),
    *("flag", "properties", "reconsumeTimes", "unitMode", "maxReconsumeTimes", "batch"),
)
_BY_LETTERS: Final = (
    RequestCode.SEND_MESSAGE_V2,
    RequestCode.SEND_BATCH_MESSAGE,
    RequestCode.SEND_REPLY_MESSAGE_V2,
)
_BY_NAMES: Final = (RequestCode.SEND_MESSAGE, RequestCode.SEND_REPLY_MESSAGE)
_TEXTS: Final = {
    "attributes": ("+message.type=NORMAL", "+message.type=FIFO,-a", "+a", "message.type", ""),
    "aclFileFullPath": ("", "/conf/plain_acl.yml", "/nowhere/plain_acl.yml", "../x"),
    "accessKey": ("Fuzz-key-1", "Fuzz"),
    "secretKey": ("Fuzz-secret-1", "short"),
    "bname": ("Fuzz1",),
    "exp": ("A || B", "*", "a > 5"),
    "expType": ("TAG", "SQL92"),
    "expressionType": ("TAG", "SQL92"),
    "extraInfo": ("0 1700000000000 60000 0 0 broker-a 0 0", "0 1 2 999 0 broker-a 0 0", "0 0 0 0 1 Fuzz"),
    "globalWhiteAddrs": ("10.0.0.*", "10.0.0.{1,2},::1", ""),
    "groupPerms": ("FuzzG1=SUB", "FuzzG1=PUB|SUB,FuzzG2=DENY"),
    "key": ("k", "Fuzz1"),
    "msgId": ("C0A8380B00002A9F0000000000000000", "C0A8380B00002A9F00000000000000", "A" * 56),
    "namespace": ("ORDER_TOPIC_CONFIG", "Fuzz"),
    "offsetMsgId": ("C0A8380B00002A9F0000000000000000",),
    "statsName": ("TOPIC_PUT_NUMS", "GROUP_GET_NUMS"),
    "subscription": ("A || B", "*", "a > 5", "a IN ('x')"),
    "topicFilterType": ("SINGLE_TAG", "MULTI_TAG"),
    "topicPerms": ("Fuzz1=PUB", "Fuzz1=PUB|SUB,Fuzz2=DENY"),
    "whiteRemoteAddress": ("10.0.0.*", ""),
}
_NUMBERS: Final = (
    *("0", "1", "-1", "3", "7", "32", "1024", "65536", "2147483647", "2147483648", "-2147483648", "-2147483649"),
    *("1700000000000", "4611686018427387904", "9223372036854775807", "-9223372036854775808", "9223372036854775808"),
)
_STRANGE: Final = (
    *("", " ", "null", "NaN", "1e9", "0x10", "1_0", "1.5", "9" * 30, "9" * 5000, "-", "true", "TRUE", "{}", "[]"),
    *("\x00", "\x01\x02", "FuzzÄ", "Fuzz\n\r", "Fuzz/../..", "%RETRY%", "%DLQ%FuzzG", "Fuzz" * 64, "😀", "٣"),
    *("*", "A || B", "||", "a > 1", "SQL92", "TAG", "127.0.0.1:1", "[::1]:2", "host:99999", "RMQ_SYS_TRANS_HALF_TOPIC"),
    *("SCHEDULE_TOPIC_XXXX", "rmq_sys_wheel_timer", "%RETRY%FuzzG1_Fuzz1", "0 " * 8, "A" * 33, "/", ".."),
)
_MILLION_DIGITS: Final = "9" * 1_000_000


@dataclass(frozen=True, slots=True)
class Field:
    """An ext field: its name on the wire, and 0 for text, 1 for a boolean, 2 for a number."""

    name: str
    kind: int


def fields_of(header_type: type[Any]) -> tuple[Field, ...]:
    """Return the fields of a header class."""
    return tuple(Field(wire, kind) for _, wire, kind, *_ in _plan(header_type))


def served(router: Router) -> dict[int, tuple[Field, ...]]:
    """Return all codes that a router serves, and the fields of their headers."""
    found: dict[int, tuple[Field, ...]] = {}
    for code in router.codes():
        handle = router._routes[code]
        header_type = _READ_BY_HANDLERS.get(code)
        if header_type is None and inspect.isfunction(handle):
            header_type = inspect.getclosurevars(handle).nonlocals.get("header_type")
        found[code] = () if header_type is None else fields_of(header_type)
    return found


class Requests:
    """Requests of codes that are served: most of their fields make sense, so that they get deep into the handlers."""

    def __init__(self, random: Random, codes: dict[int, tuple[Field, ...]]) -> None:
        self._random = random
        self._codes = codes
        self._list = list(codes)
        self._others = sorted({field.name for fields in codes.values() for field in fields})
        self._bodies = Bodies(random)

    def next(self) -> Command:
        """Return a request, maybe with spoilt fields or a spoilt body."""
        random = self._random
        code = random.choice(self._list) if random.random() < 0.98 else random.randrange(-(1 << 15), 1 << 15)
        ext = self._ext(code)
        if random.random() < 0.7:
            for _ in range(random.choice((1, 1, 1, 2, 5))):
                self._spoil(ext)
        flag = random.choice((0, 0, 0, 0, 0, 0, FLAG_ONEWAY, FLAG_RESPONSE, -1, 1 << 20))
        return Command(
            code,
            ext,
            self._bodies.make(code),
            flag=flag,
            opaque=random.randrange((1 << 31) - 1),
            version=random.choice((0, 100, 399, 433, 32767)),
            serialize_type=random.choice((TYPE_BINARY, TYPE_JSON)),
        )

    def _ext(self, code: int) -> dict[str, str]:
        if code in _BY_LETTERS:
            return dict(zip(_LETTERS, self._send_fields(), strict=True))
        if code in _BY_NAMES:
            return dict(zip(_NAMES, self._send_fields(), strict=True))
        return {field.name: self._plausible(field) for field in self._codes.get(code, ())}

    def _send_fields(self) -> list[str]:
        random = self._random
        head = ["FuzzP", self._topic(), "TBW102", "4", str(random.randrange(-1, 5))]
        flags = str(random.choice((0, 0, 1, 4, 8, 12, 16, 2048)))
        properties = message_properties(random)
        return [*head, flags, "1700000000000", "0", properties, "0", "false", "3", "false"]

    def _topic(self) -> str:
        return f"Fuzz{self._random.randrange(20)}"

    def _plausible(self, field: Field) -> str:
        random = self._random
        name, lower = field.name, field.name.lower()
        texts = _TEXTS.get(name)
        if texts is not None:
            return random.choice(texts)
        if field.kind == 2:
            return random.choice(("0", "0", "0", "1", "2", "4", "32"))
        if field.kind == 1:
            return random.choice(("true", "false"))
        if "topic" in lower:
            return self._topic()
        if "group" in lower:
            return f"FuzzG{random.randrange(10)}"
        if "addr" in lower:
            return f"127.0.0.1:{random.randrange(1, 3)}"
        return f"Fuzz{random.randrange(3)}"

    def _spoil(self, ext: dict[str, str]) -> None:
        random = self._random
        choice = random.random()
        name = random.choice(list(ext) if ext and choice < 0.95 else self._others)
        if choice < 0.2:
            ext.pop(name, None)
        elif choice < 0.6:
            ext[name] = random.choice(_NUMBERS)
        elif choice < 0.949:
            ext[name] = random.choice(_STRANGE)
        elif choice < 0.95:
            ext[name] = random.choice((_MILLION_DIGITS[: (1 << 15) - 1], _MILLION_DIGITS[: 1 << 19]))
        elif choice < 0.97:
            ext[name] = random.choice(_STRANGE)
        else:
            ext[random.choice(_STRANGE)[:300]] = random.choice(_STRANGE)
