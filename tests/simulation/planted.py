"""Faults planted in a copy of `broker_py`, each a change of one place; a simulation that misses one is too weak.

    python -m tests.simulation.planted [NAME ...]       prints which check catches which fault

The text that is replaced must be there exactly once: a fault whose place has changed is an error, not a miss.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[2]
_SECONDS: Final = 1800


@dataclass(frozen=True)
class Fault:
    """A change of one module."""

    name: str
    module: str
    sound: str
    broken: str


@dataclass(frozen=True)
class Verdict:
    """What became of a fault: the line that the hunt printed, and after how many seconds."""

    fault: Fault
    caught: bool
    line: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.fault.name:44} {self.line[:150]} ({self.seconds:.1f} s)"


FAULTS: Final = (
    # The log
    Fault(
        "the log is not forced",
        "store/flusher.py",
        "                    handle.fdatasync()\n",
        "                    pass\n",
    ),
    Fault(
        "a failed sync of the log is taken for a good one",
        "store/flusher.py",
        "                self._failure = error\n                raise\n",
        "                pass\n",
    ),
    Fault(
        "a failed sync counts",
        "store/store.py",
        "forced=error is None)\n        if error is not None:",
        "forced=True)\n        if False:",
    ),
    Fault(
        "names of log files are not forced",
        "store/commit_log.py",
        "            self._files.sync_dir(directory)\n",
        "            pass\n",
    ),
    Fault(
        "no blank record closes a file",
        "store/commit_log.py",
        "            self.stage(encode_blank(remaining))\n",
        "            self.stage(bytes(8))\n",
    ),
    Fault("a batch may cross files", "store/store.py", "            self.log.place(total)\n", "            pass\n"),
    Fault(
        "queue offsets of a failed write are not given again",
        "store/store.py",
        "                    placed.queue.next_offset = placed.queue_offset\n",
        "                    pass\n",
    ),
    Fault(
        "the repair of a failed write is not forced",
        "store/repair.py",
        "        self._flush()\n        self._admission.log_full = None\n",
        "        self._admission.log_full = None\n",
    ),
    Fault(
        "the tail is not made zeros",
        "store/segments.py",
        "            file.truncate(offset % self.segment_size)\n",
        "",
    ),
    # Starting
    Fault(
        "no abort file: a crash is taken for a clean stop",
        "store/tenancy.py",
        "        return self._files.exists(self._abort_path)\n",
        "        return False\n",
    ),
    Fault(
        "no lock",
        "store/tenancy.py",
        "            self._lock = self._files.lock(self._lock_path)\n",
        '            self._lock = self._files.lock(f"{self._lock_path}{id(self)}")\n',
    ),
    Fault(
        "recovery checks no CRC",
        "store/recovery.py",
        "if size <= 0 or record_fault(window, start, position + start, self._check_crc) is not None:",
        "if size <= 0:",
    ),
    Fault(
        "recovery misses lost sectors",
        "store/recovery.py",
        "if self._after_crash and has_lost_sector(",
        "if False and has_lost_sector(",
    ),
    Fault(
        "recovery does not cut",
        "store/recovery.py",
        "        self._log.cut(end)\n",
        "        self._log.written = self._log.end = end\n",
    ),
    Fault(
        "recovery forces what it read, and writes nothing",
        "store/commit_log.py",
        "            self._segments.write(position, data)\n            self._hold",
        "            self._hold",
    ),
    Fault(
        "recovery trusts what was not forced",
        "store/recovery.py",
        "        self._log.distrust(known)\n",
        "",
    ),
    # The consume queues
    Fault(
        "units say the next message's place",
        "store/consume_queue.py",
        "self._tail += UNIT.pack(log_offset, size, tags_code)",
        "self._tail += UNIT.pack(log_offset + size, size, tags_code)",
    ),
    Fault(
        "a queue reads one unit off",
        "store/consume_queue.py",
        "        start = (queue_offset - self._tail_start) * UNIT_BYTES\n        if start >= 0:",
        "        start = (queue_offset - self._tail_start - 1) * UNIT_BYTES\n        if start >= 0:",
    ),
    Fault(
        "a unit is put twice",
        "store/consume_queue.py",
        "self._tail += UNIT.pack(log_offset, size, tags_code)",
        "self._tail += UNIT.pack(log_offset, size, tags_code) * 2",
    ),
    Fault(
        "units are written one place too late",
        "store/consume_queue.py",
        "self._segments.write(self._written * UNIT_BYTES, bytes",
        "self._segments.write((self._written + 1) * UNIT_BYTES, bytes",
    ),
    Fault(
        "queues are not forced before the checkpoint",
        "store/checkpointing.py",
        "        self._sync.run()\n        self.vouched = True\n",
        "        write_checkpoint(self._files, self._config.checkpoint_path, self.checkpoint)\n"
        "        self._sync.run()\n        self.vouched = True\n",
    ),
    Fault(
        "the log is not forced before the checkpoint",
        "store/checkpointing.py",
        "        self.flush.run()\n        self._sync.run()\n",
        "        self._sync.run()\n",
    ),
    Fault(
        "the checkpoint is ahead of the queues",
        "store/store.py",
        "            durable_offset=self.dispatched.value,\n",
        "            durable_offset=self.log.written,\n",
    ),
    # Files that are replaced
    Fault(
        "rename before the file is forced",
        "seams.py",
        "        file.pwrite(data, 0)\n        file.fdatasync()\n",
        "        file.pwrite(data, 0)\n",
    ),
    Fault(
        "rename without forcing the directory",
        "seams.py",
        "    files.rename(temporary, path)\n    files.sync_dir(directory)\n",
        "    files.rename(temporary, path)\n",
    ),
    Fault(
        "tables are written in place",
        "broker/metadata.py",
        "        if self._files.exists(self.path):\n"
        "            replace_file(self._files, self.path + BACKUP, read_file(self._files, self.path))\n"
        "        replace_file(self._files, self.path, text)\n",
        "        file = self._files.open(self.path, create=True)\n"
        "        file.truncate(0)\n"
        "        file.pwrite(text, 0)\n"
        "        file.fdatasync()\n"
        "        self._files.sync_dir(self._directory)\n",
    ),
    # Acknowledging
    Fault(
        "acknowledged before it is flushed",
        "broker/ack_policy.py",
        "bound = self._store.flushed.value if self._sync_flush else written",
        "bound = written",
    ),
    Fault(
        "acknowledged before it is replicated",
        "broker/ack_policy.py",
        "            bound = min(bound, max(self._acks.replicated_offset(written), self._released))\n",
        "            pass\n",
    ),
    Fault(
        "shown before it is acknowledged",
        "broker/ack_policy.py",
        "            self._store.dispatch(bound)\n",
        "            self._store.dispatch(self._store.written.value)\n",
    ),
    Fault(
        "a message that no slave has is acknowledged",
        "broker/ack_policy.py",
        "                sent.reply.code = ResponseCode.SLAVE_NOT_AVAILABLE\n",
        "                pass\n",
    ),
    Fault(
        "a failed disk answers as a slow one",
        "broker/ack_policy.py",
        "            sent.peer.reply(sent.command, refusal)\n\n    @property",
        "            sent.peer.reply(sent.command, sent.reply)\n\n    @property",
    ),
    # Replication
    Fault(
        "a slave acknowledges before it appends",
        "replication/master_connection.py",
        "            self._follower.take(frames)\n",
        "            self._report(frames[-1].log_offset + len(frames[-1].data))\n"
        "            self._follower.take(frames)\n",
    ),
    Fault(
        "a slave does not compare its tail",
        "replication/follower.py",
        "            if theirs != own:\n",
        "            if False:\n",
    ),
    Fault(
        "a slave appends where it should not",
        "replication/follower.py",
        "                data = data[self._compare(data) :]\n",
        "                data = data[self._compare(data) - 1 :]\n",
    ),
    Fault(
        "a master goes on a byte too late",
        "replication/slave_connection.py",
        "            self.progress.advance(len(data))\n",
        "            self.progress.advance(len(data) + (len(data) > 600))\n",
    ),
    Fault(
        "a slave takes what does not continue its log",
        "store/commit_log.py",
        "        elif log_offset != self.end:\n",
        "        elif False:\n",
    ),
    Fault(
        "the start of a record is written before its rest",
        "store/commit_log.py",
        "            elif size > len(data) - position:\n                break\n",
        "            elif size > len(data) - position:\n                return len(data)\n",
    ),
    # Later deliveries
    Fault(
        "a level is delivered that is not on disk",
        "broker/schedule.py",
        "level.unforced[0][0] <= flushed:",
        "level.unforced[0][0] >= 0:",
    ),
    Fault(
        "a timer's checkpoint before the log is forced",
        "store/timer_files.py",
        "        end = self._snapshot[0] if self._snapshot is not None else flushed + 1\n",
        "        end = 0 if self._snapshot is not None else flushed + 1\n",
    ),
    Fault(
        "a slot keeps units behind the timer's checkpoint",
        "store/timer_files.py",
        "        if not self._walk_back(end):\n",
        "        if False:\n",
    ),
    Fault(
        "a tick is delivered before it is over",
        "broker/timers.py",
        "        while self._read_tick < now_tick:\n",
        "        while self._read_tick <= now_tick:\n",
    ),
    Fault(
        "a tick is delivered for ever",
        "broker/timers.py",
        "            self._read_tick += 1\n",
        "",
    ),
    Fault(
        "a timed message waits in the slot before its own",
        "broker/deferral.py",
        "        out_ms = (deliver_ms - 1) // precision * precision\n",
        "        out_ms = (deliver_ms - 1) // precision * precision - precision\n",
    ),
    Fault(
        "a level is delivered before its time",
        "broker/schedule.py",
        "            if now_ms < due_ms <= latest_ms:\n",
        "            if now_ms + 1 < due_ms <= latest_ms:\n",
    ),
)


def plant(fault: Fault, into: Path) -> None:
    """Copy `broker_py` and the tests, with the fault in it. AssertionError when its place is not what it was."""
    shutil.copytree(_ROOT / "broker_py", into / "broker_py")
    (into / "tests").symlink_to(_ROOT / "tests", target_is_directory=True)
    path = into / "broker_py" / fault.module
    source = path.read_text(encoding="utf-8")
    count = source.count(fault.sound)
    assert count == 1, f"{fault.name}: {fault.module} has its place {count} times, and not once:\n{fault.sound}"
    changed = source.replace(fault.sound, fault.broken)
    compile(changed, str(path), "exec")
    path.write_text(changed, encoding="utf-8")


def hunt(fault: Fault, states: int) -> Verdict:
    """Plant a fault and look for it in at most so many crash states."""
    with tempfile.TemporaryDirectory() as directory:
        plant(fault, Path(directory))
        began = time.monotonic()
        try:
            done = subprocess.run(
                [sys.executable, "-m", "tests.simulation.hunt", "--states", str(states)],
                cwd=directory,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
                capture_output=True,
                text=True,
                check=False,
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return Verdict(fault, False, "the hunt was not done in time", time.monotonic() - began)
        seconds = time.monotonic() - began
    assert done.stdout, f"{fault.name}: the hunt itself failed:\n{done.stderr}"
    return Verdict(fault, done.returncode == 1, done.stdout.strip(), seconds)


def main() -> int:
    """Hunt for the named faults, or all; return 0 when all are caught."""
    names = sys.argv[1:]
    states = int(os.environ.get("PLANTED_STATES", "2400"))
    chosen = [fault for fault in FAULTS if not names or fault.name in names]
    missed = 0
    for fault in chosen:
        verdict = hunt(fault, states)
        missed += not verdict.caught
        sys.stdout.write(f"{'' if verdict.caught else 'MISSED '}{verdict}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(chosen)} faults, {missed} missed\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
