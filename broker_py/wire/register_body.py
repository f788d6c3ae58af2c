"""The body of REGISTER_BROKER (103): a broker's topics and their version.

Plain, it is JSON:

    {"filterServerList":[…],"topicConfigSerializeWrapper":{"dataVersion":{…},"mappingDataVersion":{…},
     "topicConfigTable":{"T":{…}},"topicQueueMappingDetailMap":{…},"topicQueueMappingInfoMap":{…}}}

Compressed, it is a zlib stream of blocks, each `length:i32 | bytes`:

    block DataVersion | topicCount:i32 | topicCount × block "name read write perm filterType {attributes}"
    | block ["filter server"] | since 5.0: mappingCount:i32 | mappingCount × block TopicQueueMappingInfo

Source: remoting protocol/body/RegisterBrokerBody, common TopicConfig.encode. A compressed body has neither
`order` nor `topicSysFlag` of its topics, which is why nobody should prefer it; 5.1.0 itself sends it with a
header that denies it.
"""

import zlib
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, Final

from broker_py.errors import ProtocolError
from broker_py.model.data_version import DataVersion
from broker_py.model.fields import dict_of, list_of, text_of
from broker_py.model.topic import TopicConfig
from broker_py.wire.fastjson import dumps, loads, loads_object

MAX_UNPACKED_BYTES: Final = 64 << 20
# From this version on (MQVersion V5_0_0) a compressed body ends with the queue mappings of static topics.
VERSION_MAPPINGS: Final = 413
_INT32: Final = Struct(">i")
_CRC_MASK: Final = 0x7FFFFFFF
_NO_VERSION: Final = DataVersion()


@dataclass(frozen=True, kw_only=True)
class RegisterBody:
    """A broker's topics. The mapping tables of static topics are passed through as they are."""

    data_version: DataVersion = _NO_VERSION
    topics: dict[str, TopicConfig] = field(default_factory=dict)
    filter_servers: tuple[str, ...] = ()
    mapping_data_version: DataVersion = _NO_VERSION
    mapping_details: dict[str, Any] = field(default_factory=dict)
    mapping_infos: dict[str, Any] = field(default_factory=dict)

    def encode(self, *, compressed: bool = False) -> bytes:
        """Return the body; the header's `compressed` has to say the same."""
        return self._encode_compressed() if compressed else dumps(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "filterServerList": list(self.filter_servers),
            "topicConfigSerializeWrapper": {
                "dataVersion": self.data_version.to_json(),
                "mappingDataVersion": self.mapping_data_version.to_json(),
                "topicConfigTable": {name: topic.to_json() for name, topic in self.topics.items()},
                "topicQueueMappingDetailMap": self.mapping_details,
                "topicQueueMappingInfoMap": self.mapping_infos,
            },
        }

    def _encode_compressed(self) -> bytes:
        parts = [_block(dumps(self.data_version.to_json())), _INT32.pack(len(self.topics))]
        parts += [_block(_topic_line(topic)) for topic in self.topics.values()]
        parts += [_block(dumps(list(self.filter_servers))), _INT32.pack(len(self.mapping_infos))]
        parts += [_block(dumps(info)) for info in self.mapping_infos.values()]
        return zlib.compress(b"".join(parts), 9)


def decode_register_body(body: bytes, *, compressed: bool, version: int) -> RegisterBody:
    """Return the body of a registration; none is one without topics.

    `version` is that of the sender's header. ProtocolError when it can't be read or is too large unpacked.
    """
    if not body:
        return RegisterBody()
    return _decode_compressed(body, version) if compressed else _decode_plain(body)


def body_crc32(body: bytes) -> int:
    """Return the check sum of a registration's body as the header has it: without its top bit."""
    return zlib.crc32(body) & _CRC_MASK


def _decode_plain(body: bytes) -> RegisterBody:
    fields = loads_object(body)
    wrapper = dict_of(fields, "topicConfigSerializeWrapper")
    return RegisterBody(
        data_version=DataVersion.from_json(dict_of(wrapper, "dataVersion")),
        topics=_topics(dict_of(wrapper, "topicConfigTable")),
        filter_servers=tuple(str(server) for server in list_of(fields, "filterServerList")),
        mapping_data_version=DataVersion.from_json(dict_of(wrapper, "mappingDataVersion")),
        mapping_details=dict_of(wrapper, "topicQueueMappingDetailMap"),
        mapping_infos=dict_of(wrapper, "topicQueueMappingInfoMap"),
    )


def _topics(table: dict[Any, Any]) -> dict[str, TopicConfig]:
    topics: dict[str, TopicConfig] = {}
    for fields in table.values():
        if not isinstance(fields, dict):
            raise ProtocolError("a topic of a registration is not an object")
        topic = TopicConfig.from_json(fields)
        topics[topic.topic_name] = topic
    return topics


def _decode_compressed(body: bytes, version: int) -> RegisterBody:
    reader = _Reader(_unpack(body))
    data_version = DataVersion.from_json(loads_object(reader.block()))
    topics: dict[str, TopicConfig] = {}
    for _ in range(reader.number()):
        topic = _parse_topic_line(reader.block())
        topics[topic.topic_name] = topic
    servers = loads(reader.block())
    infos: dict[str, Any] = {}
    if version >= VERSION_MAPPINGS:
        for _ in range(reader.number()):
            info = loads_object(reader.block())
            infos[text_of(info, "topic")] = info
    return RegisterBody(
        data_version=data_version,
        topics=topics,
        filter_servers=tuple(str(server) for server in servers) if isinstance(servers, list) else (),
        mapping_infos=infos,
    )


def _unpack(body: bytes) -> bytes:
    """Inflate, but not more than the limit: a small body may stand for gigabytes."""
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(body, MAX_UNPACKED_BYTES)
    except zlib.error as error:
        raise ProtocolError(f"compressed body can't be unpacked: {error}") from None
    if inflater.unconsumed_tail:
        raise ProtocolError(f"compressed body unpacks to more than {MAX_UNPACKED_BYTES} bytes")
    if not inflater.eof:
        raise ProtocolError("compressed body ends too early")
    return data


class _Reader:
    """Reads numbers and blocks, one behind the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def number(self) -> int:
        if self._position + 4 > len(self._data):
            raise ProtocolError("compressed body ends within a length")
        value: int = _INT32.unpack_from(self._data, self._position)[0]
        self._position += 4
        return value

    def block(self) -> bytes:
        size = self.number()
        start = self._position
        if not 0 <= size <= len(self._data) - start:
            raise ProtocolError(f"compressed body has a block of {size} bytes beyond its end")
        self._position = start + size
        return self._data[start : start + size]


def _block(data: bytes) -> bytes:
    return _INT32.pack(len(data)) + data


def _topic_line(topic: TopicConfig) -> bytes:
    numbers = f"{topic.read_queue_nums} {topic.write_queue_nums} {topic.perm}"
    return f"{topic.topic_name} {numbers} {topic.topic_filter_type} ".encode() + dumps(topic.attributes)


def _parse_topic_line(line: bytes) -> TopicConfig:
    """Brokers of 4.9 end the line behind the filter type; attributes came with 5.0."""
    try:
        name, reads, writes, perm, filter_type, *rest = line.decode().split(" ", 5)
        return TopicConfig(
            topic_name=name,
            read_queue_nums=int(reads),
            write_queue_nums=int(writes),
            perm=int(perm),
            topic_filter_type=filter_type,
            attributes=_attributes(rest[0]) if rest and rest[0] else {},
        )
    except ValueError:
        raise ProtocolError(f"compressed body has the topic line {line[:64]!r}") from None


def _attributes(text: str) -> dict[str, str]:
    return {str(key): str(value) for key, value in loads_object(text).items()}
