"""The Docker engine of this machine: reached, or started where that is possible, or missed in one sentence.

engine.py start     see that an engine answers; starts one where there is none and that is possible
engine.py stop      stop the engine that `start` started
"""

import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import docker

CACHE = pathlib.Path.home() / ".cache/broker-py"
START_SECONDS = 60


class EngineError(Exception):
    """There is no engine; the text says what to do."""


def connect() -> docker.DockerClient:
    """Return a client of the engine that DOCKER_HOST or the default socket names, which answered."""
    try:
        client = docker.from_env(timeout=600)
        client.ping()
    except docker.errors.DockerException as problem:
        raise EngineError(f"No Docker engine answers ({problem}): start one, or set DOCKER_HOST.") from problem
    return client


def start(directory: pathlib.Path = CACHE) -> bool:
    """Start an engine if none answers, and return whether that was done."""
    try:
        connect()
    except EngineError as missing:
        if os.environ.get("DOCKER_HOST"):
            raise
        if not shutil.which("dockerd"):
            raise EngineError(
                "No Docker engine answers, and there is no dockerd: 'sudo apt install docker.io'."
            ) from missing
        if os.geteuid() != 0:
            raise EngineError("No Docker engine answers: start it with 'sudo systemctl start docker'.") from missing
    else:
        return False
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "dockerd.log"
    with log.open("wb") as output:
        command = ["dockerd", "--pidfile", str(_pid_file(directory))]
        daemon = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    deadline = time.monotonic() + START_SECONDS
    while daemon.poll() is None and time.monotonic() < deadline:
        try:
            connect()
        except EngineError:
            time.sleep(0.5)
        else:
            return True
    if daemon.poll() is None:
        daemon.terminate()
    raise EngineError(f"dockerd was started and didn't answer: {log} ends in\n{_tail(log)}")


def stop(directory: pathlib.Path = CACHE) -> bool:
    """Stop the engine that `start` started if no container runs on it, and return whether that was done."""
    process = _our_process(directory)
    if process is None or connect().containers.list():
        return False
    os.kill(process, signal.SIGTERM)
    while _our_process(directory) is not None:
        time.sleep(0.2)
    return True


def _our_process(directory: pathlib.Path) -> int | None:
    """Return the process of the engine that `start` started; the number in the file may be another's by now."""
    try:
        process = int(_pid_file(directory).read_text())
        command = pathlib.Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return process if bytes(_pid_file(directory)) in command else None


def _pid_file(directory: pathlib.Path) -> pathlib.Path:
    return directory / "dockerd.pid"


def _tail(log: pathlib.Path, lines: int = 5) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["start", "stop"])
    action = parser.parse_args().action
    try:
        if action == "start":
            print("Started a Docker engine." if start() else "A Docker engine answers.")
        else:
            print("Stopped the Docker engine." if stop() else "No Docker engine of ours is idle.")
    except EngineError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
