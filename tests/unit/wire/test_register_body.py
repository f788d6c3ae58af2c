"""The body of a broker's registration, plain and compressed."""

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_py.errors import ProtocolError
from broker_py.model.data_version import DataVersion
from broker_py.model.topic import TopicConfig
from broker_py.wire.register_body import MAX_UNPACKED_BYTES, RegisterBody, body_crc32, decode_register_body
from tests.support.vectors import java_remoting

MAPPING = {
    "bname": "broker-a",
    "currIdMap": {},
    "dirty": False,
    "epoch": 2,
    "scope": "__global__",
    "topic": "S",
    "totalQueues": 8,
}
FIFO = TopicConfig(
    topic_name="TopicTest", read_queue_nums=4, write_queue_nums=8, perm=6, attributes={"+message.type": "FIFO"}
)
RETRY = TopicConfig(topic_name="%RETRY%g", read_queue_nums=1, write_queue_nums=1, perm=6, topic_sys_flag=2, order=True)
BODY = RegisterBody(
    data_version=DataVersion(1_700_000_000_000, 3),
    topics={"TopicTest": FIFO, "%RETRY%g": RETRY},
    filter_servers=("10.0.0.9:1",),
    mapping_data_version=DataVersion(5),
    mapping_infos={"S": MAPPING},
)


def block(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def test_a_plain_body_of_java_is_read() -> None:
    assert decode_register_body(java_remoting("register-body-plain"), compressed=False, version=433) == BODY


def test_a_plain_body_is_written_as_java_does() -> None:
    assert json.loads(BODY.encode()) == json.loads(java_remoting("register-body-plain"))


def test_a_compressed_body_of_java_is_read_but_for_what_it_lacks() -> None:
    body = decode_register_body(java_remoting("register-body-compressed"), compressed=True, version=433)
    assert body.topics["TopicTest"] == FIFO
    assert not body.topics["%RETRY%g"].order
    assert (body.data_version, body.filter_servers, body.mapping_infos) == (
        BODY.data_version,
        BODY.filter_servers,
        BODY.mapping_infos,
    )


def test_a_compressed_body_unpacks_to_the_same_bytes_as_that_of_java() -> None:
    java = decode_register_body(java_remoting("register-body-compressed"), compressed=True, version=433)
    assert zlib.decompress(java.encode(compressed=True)) == zlib.decompress(java_remoting("register-body-compressed"))


def test_a_compressed_body_of_4_9_has_no_attributes_and_no_mappings() -> None:
    version, line, servers = b'{"counter":1,"timestamp":2}', b"T 4 8 6 MULTI_TAG", b"[]"
    data = block(version) + (1).to_bytes(4, "big") + block(line) + block(servers)
    body = decode_register_body(zlib.compress(data), compressed=True, version=399)
    topic = TopicConfig(topic_name="T", read_queue_nums=4, write_queue_nums=8, topic_filter_type="MULTI_TAG")
    assert body == RegisterBody(data_version=DataVersion(2, 1), topics={"T": topic})


def test_no_body_is_one_without_topics() -> None:
    assert decode_register_body(b"", compressed=False, version=433) == RegisterBody()


TOPICS = st.builds(
    TopicConfig,
    topic_name=st.text("abc%_-", min_size=1),
    read_queue_nums=st.integers(0, 1 << 20),
    write_queue_nums=st.integers(0, 1 << 20),
    perm=st.integers(0, 15),
    attributes=st.dictionaries(st.text(), st.text(), max_size=2),
)


@given(st.lists(TOPICS), st.booleans())
def test_what_is_written_reads_back_the_same(topics: list[TopicConfig], compressed: bool) -> None:
    body = RegisterBody(data_version=DataVersion(1, 2, 3), topics={topic.topic_name: topic for topic in topics})
    assert decode_register_body(body.encode(compressed=compressed), compressed=compressed, version=433) == body


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"topicConfigSerializeWrapper":[]}', b"\0\0"])
def test_a_plain_body_that_makes_no_sense_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_register_body(body, compressed=False, version=433)


def test_topics_must_be_objects() -> None:
    with pytest.raises(ProtocolError, match="not an object"):
        decode_register_body(
            b'{"topicConfigSerializeWrapper":{"topicConfigTable":{"T":1}}}', compressed=False, version=433
        )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "within a length"),
        ((9).to_bytes(4, "big") + b"{}", "beyond its end"),
        ((-1).to_bytes(4, "big", signed=True) + b"{}", "beyond its end"),
        (block(b"{}") + (1).to_bytes(4, "big") + block(b"a b"), "topic line"),
        (block(b"{}") + (1 << 30).to_bytes(4, "big"), "within a length"),
    ],
)
def test_a_compressed_body_that_makes_no_sense_is_a_protocol_error(data: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        decode_register_body(zlib.compress(data), compressed=True, version=433)


def test_a_body_that_is_not_compressed_or_cut_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="can't be unpacked"):
        decode_register_body(b"{}", compressed=True, version=433)
    with pytest.raises(ProtocolError, match="ends too early"):
        decode_register_body(java_remoting("register-body-compressed")[:-9], compressed=True, version=433)


def test_a_small_body_may_not_unpack_to_a_huge_one() -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range((MAX_UNPACKED_BYTES >> 20) + 1)) + packer.flush()
    assert len(bomb) < 1 << 20
    with pytest.raises(ProtocolError, match="unpacks to more than"):
        decode_register_body(bomb, compressed=True, version=433)


@given(st.data())
def test_a_mutated_compressed_body_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    content = bytearray(zlib.decompress(java_remoting("register-body-compressed")))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_register_body(zlib.compress(bytes(content)), compressed=True, version=433)
    except ProtocolError:
        return


def test_the_check_sum_has_no_top_bit() -> None:
    assert zlib.crc32(b"123456789") == 0xCBF43926
    assert body_crc32(b"123456789") == 0x4BF43926
