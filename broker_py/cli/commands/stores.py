"""mqadmin checkStore and dumpLog: what is in a store directory, without a broker. They only read.

RocketMQ has no such command for its log; dumpCompactionLog and exportMetadataInRocksDB are its offline ones.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from broker_py.cli.commands.render import fields_json, table, time_text
from broker_py.cli.commands.subcommand import OfflineCommand, checked, natural, positive
from broker_py.cli.options import Exit, Parser, print_error, print_json, print_progress
from broker_py.errors import ConfigError, StoreError
from broker_py.message.ids import offset_message_id
from broker_py.message.properties import KEYS, TAGS, UNIQ_KEY, decode_properties
from broker_py.message.record import Record, decode_record
from broker_py.message.sysflags import COMPRESSED
from broker_py.runtime.files import DiskFiles
from broker_py.runtime.holdings import lock_holder
from broker_py.store.bare_files import BareFiles, BareHandles
from broker_py.store.checkpoint import read_checkpoint
from broker_py.store.damage import Damage, next_record
from broker_py.store.inspection import Inspection, StoreReport, walk
from broker_py.wire.fastjson import loads_trusted

_PROGRESS_SECONDS: Final = 2.0
_BODY_BYTES: Final = 256


def _store_options(parser: Parser) -> None:
    parser.add_output(outputs=("text", "json"))
    parser.add_argument("directory", metavar="DIR", help="the store: storePathRootDir")
    parser.add_argument(
        "--commitLog", dest="commit_log", metavar="DIR", default="", help="the log, where it is not in the store"
    )


def _require_store(options: argparse.Namespace) -> None:
    files = DiskFiles()
    options.directory = options.directory.rstrip("/") or "/"
    log_directory = options.commit_log or f"{options.directory}/commitlog"
    if not files.is_dir(options.directory):
        raise ConfigError(f"{options.directory} is no directory")
    if not files.is_dir(log_directory):
        raise ConfigError(f"there is no store in {options.directory}: it has no directory commitlog")


def _progress(what: str) -> Callable[[int, int], None]:
    """Say every few seconds how far it is, on stderr."""
    said = time.monotonic()

    def progress(done_bytes: int, total_bytes: int) -> None:
        nonlocal said
        if time.monotonic() - said >= _PROGRESS_SECONDS:
            said = time.monotonic()
            print_progress(f"{what}: {done_bytes >> 20} of {total_bytes >> 20} MiB")

    return progress


# checkStore


def _check(options: argparse.Namespace) -> int:
    _require_store(options)
    inspection = Inspection(
        DiskFiles(),
        options.directory,
        loads_trusted,
        lock_holder=lock_holder(f"{options.directory}/lock"),
        commit_log_directory=options.commit_log,
        progress=_progress("checked"),
    )
    try:
        report = inspection.run()
    except OSError as error:
        raise StoreError(f"the store can't be read: {error}") from error
    if options.output == "json":
        print_json(_report_json(report))
    else:
        for line in _report_lines(report):
            print(line)
    return Exit.DONE if report.whole else Exit.FAILED


def _report_json(report: StoreReport) -> dict[str, Any]:
    return {
        **fields_json(report),
        "checkpoint": fields_json(report.checkpoint) if report.has_checkpoint else None,
        "damages": [fields_json(damage) for damage in report.damages],
        "queues": [fields_json(queue) for queue in report.queues],
        "indexFiles": [fields_json(each) for each in report.index_files],
        "configFiles": [fields_json(each) for each in report.config_files],
        "whole": report.whole,
    }


def _report_lines(report: StoreReport) -> list[str]:
    lines = [f"{name:<12} {value}" for name, value in _facts(report)]
    if report.queues:
        headers = ("Topic", "QID", "Min Offset", "Max Offset", "Messages", "Missing", "Wrong", "Not Yet")
        rows = [
            (each.topic, each.queue_id, each.first, each.end, each.messages, each.missing, each.wrong, each.unread)
            for each in report.queues
        ]
        lines += ["", *table(headers, rows)]
    findings = [f"damaged: {damage}" for damage in report.damages] + report.faults
    unlisted = report.damaged + report.fault_count - len(findings)
    if unlisted:
        findings.append(f"and {unlisted} more")
    lines += ["", *findings] if findings else []
    lines += ["", "At the next start:", *(f"- {action}" for action in report.actions)] if report.actions else []
    verdict = "The store is whole."
    if not report.whole:
        verdict = f"{report.damaged} damaged places in the log, {report.fault_count} other faults."
    return [*lines, "", verdict]


def _facts(report: StoreReport) -> list[tuple[str, object]]:
    held = "not held"
    if report.lock_holder is not None:
        held = (
            f"held by process {report.lock_holder}" if report.lock_holder else "held by a process of another container"
        )
    checkpoint = report.checkpoint
    vouched = "none"
    if report.has_checkpoint:
        vouched = f"messages until {time_text(checkpoint.min_ms) or 'none'} are durable"
        if checkpoint.durable_offset is not None:
            vouched = f"log and queues are durable up to {checkpoint.durable_offset}"
    sound = [each.name.removeprefix("config/") for each in report.config_files if each.fault is None]
    return [
        ("store", report.directory),
        ("commit log", f"{report.log_files} files of {report.log_file_bytes} bytes"),
        ("", f"log offset {report.log_first} to {report.log_end}; {report.torn_bytes} bytes behind are no record"),
        ("messages", f"{report.messages}, {report.message_bytes} bytes"),
        ("", f"stored {time_text(report.oldest_ms)} to {time_text(report.newest_ms)}" if report.messages else "none"),
        ("", f"{report.deleted_topics_messages} of topics that are no more"),
        ("queues", f"{len(report.queues)}, in files of {report.queue_file_bytes} bytes"),
        ("checkpoint", vouched),
        ("abort", "there: a broker runs, or did not stop in order" if report.abort else "not there: stopped in order"),
        ("lock", held),
        ("owner", report.owner or "not said"),
        ("config", ", ".join(sound) or "none"),
        ("index", f"{len(report.index_files)} files, {sum(each.size for each in report.index_files)} bytes"),
    ]


# dumpLog


def _dump_options(parser: Parser) -> None:
    _store_options(parser)
    parser.add_argument("--from", dest="start", metavar="N", type=checked(natural), help="from this log offset on")
    parser.add_argument("--to", dest="end", metavar="N", type=checked(natural), help="up to this log offset")
    parser.add_argument("-t", "--topic", metavar="TOPIC", help="only of this topic")
    parser.add_argument("-i", "--queueId", dest="queue_id", metavar="N", type=checked(natural), help="only this queue")
    parser.add_argument("-c", "--count", metavar="N", type=checked(positive), help="at most so many")
    parser.add_argument(
        "--bodyBytes",
        dest="body_bytes",
        metavar="N",
        type=checked(natural),
        default=_BODY_BYTES,
        help=f"so much of each body ({_BODY_BYTES})",
    )


def _dump(options: argparse.Namespace) -> int:
    _require_store(options)
    files, handles = DiskFiles(), BareHandles(DiskFiles())
    try:
        log = BareFiles(files, handles, options.commit_log or f"{options.directory}/commitlog")
        durable_end = read_checkpoint(files, f"{options.directory}/checkpoint").durable_offset or 0
        return _dump_log(log, durable_end, options)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise StoreError(f"the store can't be read: {error}") from error
    finally:
        handles.close()


def _dump_log(log: BareFiles, durable_end: int, options: argparse.Namespace) -> int:
    if not log.starts:
        print_progress(f"{log.directory} has no files")
        return Exit.DONE
    start, end = max(options.start or 0, log.first), options.end if options.end is not None else log.end
    if options.start is not None and options.start > log.first:
        start = _record_at_or_behind(log, options.start, end)
    printed, status = 0, Exit.DONE
    for log_offset, size, data, at, damage in walk(log, start, durable_end, _progress("read")):
        if log_offset >= end or (options.count is not None and printed >= options.count):
            break
        if damage is not None and (options.topic is None or damage.topic in (None, options.topic)):
            status = Exit.FAILED
            _print_damage(damage, options.output)
        if damage is not None or size == 0:
            continue
        record = decode_record(data, at)
        if options.topic not in (None, record.topic) or options.queue_id not in (None, record.queue_id):
            continue
        printed += 1
        content = _record_json(record, options.body_bytes)
        print(json.dumps(content, ensure_ascii=False) if options.output == "json" else _record_line(content))
    print_progress(f"{printed} messages")
    return status


def _record_at_or_behind(log: BareFiles, log_offset: int, end: int) -> int:
    """An offset between records is that of the next one."""
    found = next_record(log, log_offset, min(end, log.end))
    return log.end if found is None else found


def _print_damage(damage: Damage, output: str) -> None:
    if output == "json":
        print(json.dumps({"damaged": damage.fault, **fields_json(damage)}, ensure_ascii=False))
    else:
        print(f"{damage.log_offset} DAMAGED {damage}")
    sys.stdout.flush()
    print_error("mqadmin dumpLog", f"damaged: {damage}")


def _record_json(record: Record, body_bytes: int) -> dict[str, Any]:
    properties = decode_properties(record.properties)
    body = bytes(record.body[:body_bytes])
    offset_id = offset_message_id(record.store_host, record.log_offset)
    content: dict[str, Any] = {
        "logOffset": record.log_offset,
        "size": record.size,
        "topic": record.topic,
        "queueId": record.queue_id,
        "queueOffset": record.queue_offset,
        "tags": properties.get(TAGS),
        "keys": properties.get(KEYS),
        "messageId": properties.get(UNIQ_KEY, offset_id),
        "bornMs": record.born_ms,
        "storedMs": record.stored_ms,
        "sysFlag": record.sys_flag,
        "flag": record.flag,
        "reconsumeTimes": record.reconsume_times,
        "preparedOffset": record.prepared_offset,
        "properties": properties,
        "bodyBytes": len(record.body),
        "bodyCrc": record.body_crc,
    }
    try:
        if record.sys_flag & COMPRESSED:
            raise ValueError  # bytes of a compression, not text by accident
        return content | {"body": body.decode() if len(body) == len(record.body) else _text_start(body)}
    except ValueError:
        return content | {"bodyHex": body.hex()}


def _text_start(body: bytes) -> str:
    """Return the text that a cut body begins with; ValueError when it is none."""
    for cut in range(4):  # a character may have been cut
        try:
            return body[: len(body) - cut].decode()
        except UnicodeDecodeError:
            continue
    raise ValueError


def _record_line(content: dict[str, Any]) -> str:
    properties = ", ".join(f"{name}={value}" for name, value in content["properties"].items())
    body = content["body"] if "body" in content else f"0x{content['bodyHex']}"
    return (
        f"{content['logOffset']} {content['topic']} queue {content['queueId']} offset {content['queueOffset']} "
        f"{content['size']} bytes, stored {time_text(content['storedMs'])} TAGS: [{content['tags'] or ''}] "
        f"KEYS: [{content['keys'] or ''}] PROPERTIES: [{properties}] BODY({content['bodyBytes']}): {body!r}"
    )


COMMANDS: Final = {
    "checkStore": OfflineCommand(_store_options, _check),
    "dumpLog": OfflineCommand(_dump_options, _dump),
}
