"""Files of a Java broker that slaves ask for."""

import errno

from broker_py.seams import replace_file
from broker_py.wire.codes import RequestCode
from tests.support.memory_files import MemoryFiles
from tests.unit.broker.site import Site, body_of

FILES = {
    "delayOffset.json": (RequestCode.GET_ALL_DELAY_OFFSET, b'{\n\t"offsetTable":{1:10,3:250}\n}'),
    "timermetrics": (RequestCode.GET_TIMER_METRICS, b'{"timingCount":{"T":{"count":{"value":1}}}}'),
}


def test_what_a_java_broker_left_is_handed_on_as_it_is() -> None:
    site = Site()
    for name, (code, text) in FILES.items():
        replace_file(site.files, f"/store/config/{name}", text)
        assert body_of(site.ask(code)) == text


def test_of_the_timers_checkpoint_the_part_that_goes_over_the_wire_is_handed_on() -> None:
    site = Site()
    content = bytes(range(56)) + bytes(4040)
    replace_file(site.files, "/store/config/timercheck", content)
    assert body_of(site.ask(RequestCode.GET_TIMER_CHECK_POINT)) == content[:56]


def test_without_the_files_a_slave_is_told_that_there_is_nothing() -> None:
    site = Site()
    assert site.json(RequestCode.GET_ALL_DELAY_OFFSET)["offsetTable"] == {}
    assert site.json(RequestCode.GET_ALL_MESSAGE_REQUEST_MODE) == {"messageRequestModeMap": {}}
    assert site.json(RequestCode.GET_TIMER_METRICS)["timingCount"] == {}
    assert body_of(site.ask(RequestCode.GET_TIMER_CHECK_POINT)) == bytes(56)


def test_a_file_that_can_not_be_read_is_said() -> None:
    class Unreadable(MemoryFiles):
        broken = False

        def open(self, path, *, create=False, write=True, private=False):  # type: ignore[no-untyped-def]
            if self.broken and path.endswith("delayOffset.json"):
                raise OSError(errno.EIO, "Input/output error")
            return super().open(path, create=create, write=write)

    files = Unreadable()
    site = Site(files)
    files.broken = True
    reply = site.ask(RequestCode.GET_ALL_DELAY_OFFSET)
    assert (reply.code, reply.remark) == (1, "the file can't be read: [Errno 5] Input/output error")


def test_a_broker_leaves_alone_what_it_has_no_use_for() -> None:
    files = MemoryFiles()
    files.make_dirs("/store/config")
    names = [*FILES, "timercheck", "consumerFilter.json", "topicQueueMapping.json"]
    for name in names:
        replace_file(files, f"/store/config/{name}", b"{1:2} of " + name.encode())
    site = Site(files)
    site.send()
    site.groups.require("g")
    site.offsets.commit("g", "T", 0, 1)
    site.offsets.save()
    site.store.close()
    for name in names:
        assert files.dump()[f"/store/config/{name}"] == b"{1:2} of " + name.encode()
