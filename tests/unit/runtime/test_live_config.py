"""The configuration of a running daemon and its file."""

import errno
import hashlib
import os
from dataclasses import dataclass, field

import pytest

from broker_py.errors import ConfigError
from broker_py.model.java_properties import Property
from broker_py.runtime.live_config import LiveConfig, load_live_config
from broker_py.seams import read_file, replace_file
from tests.support.memory_files import MemoryFiles

PATH = "/conf/namesrv.properties"
FILE = b"# by hand\nlistenPort=9876\nenableTopicList=true\n"


@dataclass(frozen=True, kw_only=True)
class Config:
    listen_port: int = field(default=1, metadata={"important": True})
    enable_topic_list: bool = field(default=True, metadata={"runtime": True})
    pid_file: str = field(default="~/pid", metadata={"path": True})


def live(content: bytes = FILE, *overrides: Property) -> tuple[LiveConfig, MemoryFiles]:
    files = MemoryFiles()
    files.make_dirs("/conf")
    replace_file(files, PATH, content)
    return load_live_config(files, PATH, (Config,), overrides), files


def test_a_file_fills_the_configuration() -> None:
    config, _ = live()
    assert config.get(Config) == Config(listen_port=9876, pid_file=os.path.expanduser("~/pid"))


def test_without_a_file_all_is_default() -> None:
    config = load_live_config(MemoryFiles(), None, (Config,))
    assert config.get(Config).listen_port == 1
    config.update("enableTopicList=false")
    assert not config.get(Config).enable_topic_list


def test_an_option_counts_more_than_the_file() -> None:
    config, _ = live(FILE, Property("listenPort", "7", source="-n"))
    assert config.get(Config).listen_port == 7


def test_a_change_holds_and_is_in_the_file_with_all_else_as_it_was() -> None:
    config, files = live()
    config.update("enableTopicList=false")
    assert not config.get(Config).enable_topic_list
    assert read_file(files, PATH) == b"# by hand\nlistenPort=9876\nenableTopicList=false\n"


def test_a_change_that_is_not_to_persist_holds_and_the_file_stays_as_it_was() -> None:
    config, files = live()
    files.fail_writes = errno.EROFS
    config.update("enableTopicList=false", persist=False)
    assert not config.get(Config).enable_topic_list
    assert read_file(files, PATH) == FILE


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def test_the_digest_is_that_of_the_content_in_effect_and_not_of_what_the_file_has_become() -> None:
    config, files = live()
    assert config.digest == sha256(FILE)
    replace_file(files, PATH, FILE + b"# more\n")
    assert config.digest == sha256(FILE)
    config.update("enableTopicList=false")
    assert config.digest == sha256(FILE)
    assert load_live_config(files, None, (Config,)).digest == "none"


def test_the_digest_follows_a_change_that_was_written_into_the_file_and_who_asks_hears_of_it() -> None:
    config, files = live()
    heard: list[str] = []
    config.on_rewrite = lambda: heard.append(config.digest)
    config.update("enableTopicList=false", persist=False)
    assert (config.digest, heard) == (sha256(FILE), [])
    config.update("enableTopicList=false")
    assert config.digest == sha256(read_file(files, PATH)) != sha256(FILE)
    assert heard == [config.digest]


def test_what_may_not_change_is_refused_and_nothing_is_changed() -> None:
    config, files = live()
    with pytest.raises(ConfigError, match="listenPort can't be changed"):
        config.update("enableTopicList=false\nlistenPort=1")
    assert config.get(Config).enable_topic_list
    assert read_file(files, PATH) == FILE


def test_a_change_that_can_not_be_kept_is_refused() -> None:
    config, files = live()
    files.fail_writes = errno.EROFS
    with pytest.raises(ConfigError, match=f"{PATH} can't be written"):
        config.update("enableTopicList=false")
    assert config.get(Config).enable_topic_list


def test_all_properties_some_or_the_important_ones_are_shown() -> None:
    config, _ = live()
    assert config.text() == f"enableTopicList=true\nlistenPort=9876\npidFile={os.path.expanduser('~/pid')}\n"
    assert config.text({"listenPort", "unknown"}) == "listenPort=9876\n"
    assert config.text(important=True) == "listenPort=9876\n"


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"/none/there\.properties can't be read: "):
        load_live_config(MemoryFiles(), "/none/there.properties", (Config,))


def test_a_fault_in_the_file_is_named_by_its_place() -> None:
    with pytest.raises(ConfigError, match=r"namesrv\.properties line 1: listenPort is 'x'"):
        live(b"listenPort=x\n")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_file_is_utf_8_or_what_java_reads(encoding: str) -> None:
    config, _ = live("pidFile=/tmp/é".encode(encoding))
    assert config.get(Config).pid_file == "/tmp/é"


def test_warnings_are_kept_for_the_log() -> None:
    config, _ = live(b"rocketmqHome=/opt\n")
    assert config.warnings == ("namesrv.properties: properties of RocketMQ that have no effect here: rocketmqHome",)
