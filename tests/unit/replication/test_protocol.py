import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_py.errors import ProtocolError
from broker_py.replication.protocol import (
    MAX_FRAME_BYTES,
    Frame,
    FrameDecoder,
    ReportDecoder,
    encode_frame_header,
    encode_report,
)

OFFSETS = st.integers(0, 2**63 - 1)
CUTS = st.lists(st.integers(1, 50), max_size=60)


def chop(data: bytes, sizes: list[int]) -> list[bytes]:
    """Cut `data` into pieces of these sizes; what is left is the last piece."""
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [piece for piece in [*pieces, data] if piece]


def decode(stream: bytes, sizes: list[int]) -> list[tuple[int, bytes]]:
    decoder = FrameDecoder()
    frames: list[Frame] = []
    for piece in chop(stream, sizes):
        frames += decoder.receive_data(piece)
    return [(frame.log_offset, bytes(frame.data)) for frame in frames]


def test_a_report_is_the_offset_in_eight_big_endian_bytes() -> None:
    assert encode_report(0x0102030405060708) == bytes([1, 2, 3, 4, 5, 6, 7, 8])


def test_a_frame_header_is_the_offset_and_then_the_size_in_four_bytes() -> None:
    assert encode_frame_header(0x0102030405060708, 0x0A0B0C) == bytes([1, 2, 3, 4, 5, 6, 7, 8, 0, 10, 11, 12])


@given(st.lists(OFFSETS, min_size=1, max_size=20), CUTS)
def test_reports_cut_anywhere_end_with_the_last_one(offsets: list[int], sizes: list[int]) -> None:
    decoder = ReportDecoder()
    answers = [decoder.receive_data(piece) for piece in chop(b"".join(map(encode_report, offsets)), sizes)]
    assert [answer for answer in answers if answer is not None][-1] == offsets[-1]


def test_of_reports_that_come_together_the_last_one_counts() -> None:
    assert ReportDecoder().receive_data(encode_report(5) + encode_report(6) + encode_report(9) + b"\0\0\0") == 9


def test_a_part_of_a_report_is_no_report() -> None:
    decoder = ReportDecoder()
    assert [decoder.receive_data(bytes([byte])) for byte in encode_report(258)] == [None] * 7 + [258]


def test_a_negative_report_breaks_the_protocol() -> None:
    with pytest.raises(ProtocolError, match="-1"):
        ReportDecoder().receive_data(encode_report(-1))


@given(st.lists(st.tuples(OFFSETS, st.binary(max_size=100)), max_size=20), CUTS)
def test_frames_cut_anywhere_come_out_whole_and_in_order(frames: list[tuple[int, bytes]], sizes: list[int]) -> None:
    stream = b"".join(encode_frame_header(log_offset, len(data)) + data for log_offset, data in frames)
    assert decode(stream, sizes) == frames
    assert decode(stream, [1] * len(stream)) == frames


def test_a_frame_without_data_is_a_heartbeat() -> None:
    (frame,) = FrameDecoder().receive_data(encode_frame_header(77, 0))
    assert frame.log_offset == 77
    assert not frame.data


def test_the_largest_frame_is_taken_and_one_byte_more_is_refused_by_its_header() -> None:
    decoder = FrameDecoder()
    assert decoder.receive_data(encode_frame_header(0, MAX_FRAME_BYTES)) == []
    (frame,) = decoder.receive_data(bytes(MAX_FRAME_BYTES))
    assert len(frame.data) == MAX_FRAME_BYTES
    with pytest.raises(ProtocolError, match=str(MAX_FRAME_BYTES + 1)):
        decoder.receive_data(encode_frame_header(0, MAX_FRAME_BYTES + 1))


@pytest.mark.parametrize(("log_offset", "size"), [(-1, 10), (0, -1), (0, -(2**31))])
def test_negative_numbers_break_the_protocol(log_offset: int, size: int) -> None:
    with pytest.raises(ProtocolError):
        FrameDecoder().receive_data(encode_frame_header(log_offset, size))
