"""Messages of a queue, as pull replies need them (`store/DefaultMessageStore.getMessage`)."""

from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from struct import Struct
from typing import Final, Protocol

from broker_py.message.record import CLAIM_BYTES, Record, claimed_size, decode_record, properties_of
from broker_py.store.commit_log import CommitLog
from broker_py.store.config import StoreConfig
from broker_py.store.consume_queue import BLANK_SIZE, UNIT, ConsumeQueue
from broker_py.store.verifying import Place, Verifier

_SCAN_UNITS: Final = 800
"""Units looked at per call, or as many as messages are wanted (16,000 bytes in Java)."""
_MERGE_BYTES: Final = 4096
"""Records this close are read in one go; a read costs about what copying 4 KiB does."""
_MERGED_BYTES: Final = 1 << 20
_SELECTED_BYTES: Final = 4 << 20
"""So much is read per call to look at properties, so that a filter that finds nothing holds nobody up."""
_SELECTING: Final = 100_000
"""Tokens of an expression that are looked at per call: a fiftieth of a second."""
_SIZE: Final = Struct(">i")
_OFFSETS: Final = Struct(">qq")  # queue offset, log offset


class GetStatus(IntEnum):
    """What became of a read."""

    FOUND = 0
    NO_MATCHED_MESSAGE = 1
    MESSAGE_WAS_REMOVING = 2
    OFFSET_FOUND_NULL = 3
    OFFSET_OVERFLOW_BADLY = 4
    OFFSET_OVERFLOW_ONE = 5
    OFFSET_TOO_SMALL = 6
    NO_MATCHED_LOGIC_QUEUE = 7
    NO_MESSAGE_IN_QUEUE = 8


class Selection(Protocol):
    """Which messages are wanted by their properties; `size` is about what looking at one costs, in tokens."""

    size: int

    def matches(self, properties: Mapping[str, str]) -> bool:
        """True when a message with these properties is wanted."""


class GetResult:
    """Stored records in the order of their offsets, in chunks of one or more; `size` is their bytes, `count` how many.

    `next_offset` is where to read next. `lagging` means that what comes next is further behind than memory reaches.
    """

    __slots__ = ("chunks", "count", "lagging", "max_offset", "min_offset", "next_offset", "size", "status")

    def __init__(self, status: GetStatus, next_offset: int, min_offset: int = 0, max_offset: int = 0) -> None:
        self.status = status
        self.next_offset = next_offset
        self.min_offset = min_offset
        self.max_offset = max_offset
        self.chunks: list[bytes | memoryview] = []
        self.count = 0
        self.size = 0
        self.lagging = False

    def records(self) -> Iterator[Record]:
        """Yield them, decoded."""
        for chunk in self.chunks:
            position = 0
            while position < len(chunk):
                record = decode_record(chunk, position)
                position += record.size
                yield record


class Reader:
    """Reads by queue offset. `memory_bytes` is the machine's, of which a part counts as holding the log's end.

    `verifier` judges all that is read.
    """

    def __init__(self, config: StoreConfig, log: CommitLog, memory_bytes: int, verifier: Verifier) -> None:
        self._config = config
        self._log = log
        self._verifier = verifier
        self._near_bytes = memory_bytes * config.access_message_in_memory_max_ratio // 100
        verifier.near_bytes = self._near_bytes

    def configure(self, config: StoreConfig) -> None:
        """Follow changed limits from here on."""
        self._config = config

    def is_near(self, log_offset: int) -> bool:
        """True when what lies at a log offset is no further from the log's end than memory reaches."""
        return self._log.written - log_offset <= self._near_bytes

    def get(
        self,
        queue: ConsumeQueue,
        queue_offset: int,
        max_count: int,
        max_bytes: int,
        wanted: Callable[[int], bool] | None,
        selection: Selection | None = None,
    ) -> GetResult:
        """Return up to `max_count` messages and `max_bytes` from `queue_offset` whose tags code is `wanted`.

        With a `selection`, whose properties it matches too. The first one is returned whatever its size. The limits
        of the configuration apply as well. OSError.
        """
        minimum, maximum = queue.min_offset, queue.max_offset
        if maximum == 0:
            return GetResult(GetStatus.NO_MESSAGE_IN_QUEUE, 0)
        if queue_offset < minimum:
            return GetResult(GetStatus.OFFSET_TOO_SMALL, minimum, minimum, maximum)
        if queue_offset == maximum:
            return GetResult(GetStatus.OFFSET_OVERFLOW_ONE, queue_offset, minimum, maximum)
        if queue_offset > maximum:
            return GetResult(GetStatus.OFFSET_OVERFLOW_BADLY, maximum, minimum, maximum)
        result = GetResult(GetStatus.NO_MATCHED_MESSAGE, queue_offset, minimum, maximum)
        if selection is not None:
            self._select(queue, queue_offset, max_count, max_bytes, wanted, selection, result)
            places: list[Place] = []
        else:
            places = self._choose(queue, queue_offset, max_count, max_bytes, wanted, result)
        if places:
            self._read(queue, places, result)
            result.status = GetStatus.FOUND if result.count else GetStatus.MESSAGE_WAS_REMOVING
        elif result.next_offset == queue_offset:
            result.status = GetStatus.OFFSET_FOUND_NULL
            result.next_offset = queue.next_file_start(queue_offset)
        return result

    def _select(
        self,
        queue: ConsumeQueue,
        queue_offset: int,
        max_count: int,
        max_bytes: int,
        wanted: Callable[[int], bool] | None,
        selection: Selection,
        result: GetResult,
    ) -> None:
        """Read message after message, and keep those that match, until there are enough or enough were looked at."""
        scan_end = min(result.max_offset, queue_offset + max(1, min(_SCAN_UNITS, _SELECTING // selection.size)))
        looked_at = 0
        while queue_offset < scan_end and looked_at < _SELECTED_BYTES:
            result.lagging = False
            batch = GetResult(GetStatus.FOUND, queue_offset)
            places = self._choose(
                queue, queue_offset, min(max_count, scan_end - queue_offset), max_bytes, wanted, result
            )
            if result.next_offset == queue_offset:
                break
            self._read(queue, places, batch)
            looked_at += batch.size
            for record in _records(batch.chunks):
                if not selection.matches(properties_of(record)):
                    continue
                own_offset, log_offset = _OFFSETS.unpack_from(record, 20)
                distance = self._log.written - log_offset
                if result.count and self._is_full(
                    result.count, result.size + len(record), max_count, max_bytes, distance
                ):
                    result.next_offset = own_offset
                    result.lagging = distance > self._near_bytes
                    scan_end = own_offset
                    break
                result.chunks.append(bytes(record))
                result.size += len(record)
                result.count += 1
            queue_offset = result.next_offset
        if result.count:
            result.status = GetStatus.FOUND

    def _choose(
        self,
        queue: ConsumeQueue,
        queue_offset: int,
        max_count: int,
        max_bytes: int,
        wanted: Callable[[int], bool] | None,
        result: GetResult,
    ) -> list[Place]:
        """Return the places of the messages to read, and set where to go on."""
        places: list[Place] = []
        scan_end = queue_offset + max(_SCAN_UNITS, max_count)
        log_min_offset, log_end = self._log.min_offset, self._log.written
        total = 0
        while queue_offset < scan_end and queue_offset < result.max_offset:
            units = queue.units(queue_offset, min(scan_end - queue_offset, max(max_count, 32)))
            if not units:
                break
            for log_offset, size, tags_code in UNIT.iter_unpack(units):
                if size == BLANK_SIZE:
                    if not places:
                        result.status = GetStatus.MESSAGE_WAS_REMOVING
                    queue_offset += 1
                    continue
                credible = log_min_offset <= log_offset < log_end and 0 < size <= _MERGED_BYTES
                if not credible and not self._claims(log_offset, size):
                    size = 0  # noqa: PLW2901 -- so much as such a unit says is not to be read
                elif wanted is not None and not wanted(tags_code):
                    queue_offset += 1
                    continue
                if places and self._is_full(len(places), total + size, max_count, max_bytes, log_end - log_offset):
                    result.next_offset = queue_offset
                    result.lagging = log_end - log_offset > self._near_bytes
                    return places
                places.append((log_offset, size, queue_offset))
                total += size
                queue_offset += 1
        result.next_offset = queue_offset
        return places

    def _claims(self, log_offset: int, size: int) -> bool:
        """True when the log has a record of that size there, as far as its head says."""
        return 0 < size == claimed_size(self._log.read(log_offset, CLAIM_BYTES))

    def _is_full(self, count: int, total: int, max_count: int, max_bytes: int, distance: int) -> bool:
        config = self._config
        if count >= max_count or total > max_bytes:
            return True
        if distance <= self._near_bytes:
            return (
                total > config.max_transfer_bytes_on_message_in_memory
                or count >= config.max_transfer_count_on_message_in_memory
            )
        return (
            total > config.max_transfer_bytes_on_message_in_disk
            or count >= config.max_transfer_count_on_message_in_disk
        )

    def _read(self, queue: ConsumeQueue, places: list[Place], result: GetResult) -> None:
        """Read the messages: those that lie close together in one go, neighbours as one chunk."""
        first = 0
        while first < len(places):
            start, size, _ = places[first]
            end = start + size
            limit = min(self._log.segment_end(start), start + _MERGED_BYTES)
            last = first + 1
            while last < len(places):
                log_offset, size, _ = places[last]
                if not end <= log_offset <= end + _MERGE_BYTES or log_offset + size > limit:
                    break
                end = log_offset + size
                last += 1
            self._slice(self._log.read(start, end - start), start, queue, places[first:last], result)
            first = last

    def _slice(self, data: bytes, start: int, queue: ConsumeQueue, places: list[Place], result: GetResult) -> None:
        """Cut one read into chunks. A place without its message gives the message from where it is, or nothing."""
        view = memoryview(data)
        chunk_start = chunk_end = 0
        is_sound = self._verifier.is_sound
        for place in places:
            position = place[0] - start
            size = place[1]
            sound = is_sound(data, position, queue, place)
            if not sound or position != chunk_end:
                if chunk_end > chunk_start:
                    result.chunks.append(view[chunk_start:chunk_end])
                chunk_start = chunk_end = position
            if sound:
                chunk_end = position + size
            else:
                message = self._verifier.instead(queue, place)
                if message is None:
                    continue
                result.chunks.append(message)
                size = len(message)
            result.size += size
            result.count += 1
        if chunk_end > chunk_start:
            result.chunks.append(view[chunk_start:chunk_end])


def _records(chunks: list[bytes | memoryview]) -> Iterator[memoryview]:
    """Yield the records of chunks that were read."""
    for chunk in chunks:
        view = memoryview(chunk)
        position = 0
        while position < len(view):
            (size,) = _SIZE.unpack_from(view, position)
            yield view[position : position + size]
            position += size
