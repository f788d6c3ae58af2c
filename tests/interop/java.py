"""RocketMQ's own programs: where their jars are, and its daemons as processes beside ours.

The jars are those in `$ROCKETMQ_LIB`; without it Maven fetches them once, into `~/.cache/broker-py/rocketmq-VERSION`.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.support.cluster import Cluster, Daemon

VERSION: Final = "5.1.0"
_HERE: Final = Path(__file__).resolve().parent
_CACHE: Final = Path.home() / ".cache" / "broker-py"
_LOGBACK_FILES: Final = ("logback_broker.xml", "logback_namesrv.xml")
_LOGBACK: Final = "<configuration/>"
# What RocketMQ's own start scripts open: without, it dies while it stops, before it has written its tables.
_OPENS: Final = (
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
)
_MAINS: Final = {"mqnamesrv": "namesrv.NamesrvStartup", "mqbroker": "broker.BrokerStartup"}


def why_not() -> str | None:
    """Return what is missing on this machine to run Java programs, or None."""
    if shutil.which("javac") is None:
        return "there is no JDK (javac)"
    if "ROCKETMQ_LIB" not in os.environ and shutil.which("mvn") is None:
        return "ROCKETMQ_LIB is not set (a folder with RocketMQ's jars), and there is no Maven (mvn) to fetch them"
    return None


def jars(version: str = VERSION) -> str:
    """Return the class path of a version of RocketMQ; CalledProcessError when Maven can't fetch it."""
    given = os.environ.get("ROCKETMQ_LIB")
    if given is not None and version == VERSION:
        return f"{given}/*"
    folder = _CACHE / f"rocketmq-{version}"
    if not (folder / "complete").exists():
        pom = ["mvn", "-q", "-B", "-f", str(_HERE / "pom.xml"), f"-Drocketmq={version}"]
        subprocess.run([*pom, "dependency:copy-dependencies", f"-DoutputDirectory={folder}"], check=True)
        (folder / "complete").touch()
    return f"{folder}/*"


def compiled(source: Path, into: Path) -> str:
    """Compile a program and return the class path to run it."""
    into.mkdir(parents=True, exist_ok=True)
    subprocess.run(["javac", "-nowarn", "-d", str(into), "-cp", jars(), str(source)], check=True)
    return f"{into}:{jars()}"


class JavaDaemon(Daemon):
    """A daemon of RocketMQ; it takes the same properties as ours and ignores those that it doesn't know."""

    version = VERSION
    starts = 0
    patience_seconds = 90.0

    def argv(self) -> list[str]:
        """The command line."""
        return [
            "java",
            "-Xms128m",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            *_OPENS,
            f"-Drocketmq.home.dir={self.directory}",
            f"-Duser.home={self.directory}",
            "-cp",
            jars(self.version),
            f"org.apache.rocketmq.{_MAINS[self.command]}",
            "-c",
            str(self.config_file),
        ]

    def serves(self, process: "subprocess.Popen[bytes]") -> bool:
        """True when the daemon has said so in this run."""
        return self.output().count("boot success") > self.starts

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start the process; it needs some seconds until it serves."""
        self.starts = self.output().count("boot success")
        return super().launch()

    def write_files(self) -> None:
        """Write the properties file, and those that a 4.9 doesn't start without."""
        super().write_files()
        for name in _LOGBACK_FILES:
            (self.directory / "conf").mkdir(exist_ok=True)
            (self.directory / "conf" / name).write_text(_LOGBACK)

    def log(self) -> str:
        """The end of what it logged, over all starts."""
        logs = sorted(self.directory.glob("logs/rocketmqlogs/*.log"))
        return "".join(f"{path.name}:\n{path.read_text(errors='replace')[-2000:]}" for path in logs)


class MixedCluster(Cluster):
    """A cluster of our daemons and of RocketMQ's."""

    def java_nameserver(self) -> JavaDaemon:
        """Return a further name server of RocketMQ, not started."""
        return self._java("mqnamesrv", *self.new_nameserver())

    def java_broker(self, name: str = "broker-a", broker_id: int = 0, /, **properties: object) -> JavaDaemon:
        """Return a broker of RocketMQ, not started, without the timer's large files, and patient on a busy machine."""
        light = {"timerWheelEnable": "false", "messageIndexEnable": "false", "waitTimeMillsInSendQueue": 10_000}
        return self._java("mqbroker", *self.new_broker(name, broker_id, **{**light, **properties}))

    def _java(self, command: str, directory: Path, port: int, properties: dict[str, object]) -> JavaDaemon:
        daemon = JavaDaemon(command, directory, port, properties)
        self.add(daemon)
        return daemon
