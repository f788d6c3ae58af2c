"""What a broker knows besides messages: its tables, in files of the `config` directory."""

from broker_py.broker.config import BrokerConfig
from broker_py.broker.consumer_offsets import ConsumerOffsetTable
from broker_py.broker.groups import GroupTable
from broker_py.broker.kept_files import KeptFiles
from broker_py.broker.metadata import MetadataFile
from broker_py.broker.request_modes import RequestModes
from broker_py.broker.topics import TopicTable
from broker_py.seams import Clock, FileSystem


class Tables:
    """Topics, consumer groups, their offsets, how groups ask for messages, and the files that are only kept."""

    def __init__(self, config: BrokerConfig, files: FileSystem, directory: str, clock: Clock) -> None:
        self._files = files
        self._directory = directory
        self.topics = TopicTable(config, self.file("topics.json"), clock)
        self.groups = GroupTable(config, self.file("subscriptionGroup.json"), clock)
        self.offsets = ConsumerOffsetTable(
            self.file("consumerOffset.json"), clock, config.consumer_offset_update_version_step
        )
        self.modes = RequestModes(self.file("messageRequestMode.json"))
        self.kept = KeptFiles(files, directory)

    def file(self, name: str) -> MetadataFile:
        """Return a file of the directory."""
        return MetadataFile(self._files, self._directory, name)

    def load(self) -> None:
        """Read them. StoreError, OSError."""
        self.topics.load()
        self.groups.load()
        self.offsets.load()
        self.modes.load()

    def configure(self, config: BrokerConfig) -> None:
        """Follow changed properties from here on."""
        self.topics.configure(config)
        self.groups.configure(config)
