#!/usr/bin/env python3
"""Virtual machines for what a container can't show: software RAID, kernel settings, reboots.

A container has its host's kernel; a machine has its own. One Debian root image is built from packages and kept; each
machine is a copy of it with blank disks of its own. The CPU is emulated, which works everywhere and is slow.

    machines.py start rocketmq-os1 --disks 4 --forward 9876   make or start a machine, wait until ssh answers
    machines.py reboot rocketmq-os1                           through the machine's own shutdown
    machines.py stop rocketmq-os1                             its disks are kept
    machines.py destroy rocketmq-os1                          its disks are forgotten
    machines.py ssh rocketmq-os1 cat /proc/mdstat

`start` writes connection.yml, an inventory that says how to reach the machine and goes on top of a real one
(`-i inventories/single -i .../connection.yml`), and ssh_config (`ssh -F`). Clients on this host reach the machine
through the ports that are forwarded. MACHINE_ACCELERATOR=kvm does without the emulation where there is KVM.

Needs root for building the image, and Debian's packages debootstrap, e2fsprogs, qemu-system-x86 and openssh-client.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"), "broker-py", "machines")
SUITE = "bookworm"
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
IMAGE_MIB = 3072
ACCELERATOR = os.environ.get("MACHINE_ACCELERATOR", "tcg")
USER = "operator"
ADDRESS = "127.0.0.1"
PACKAGES = (
    "linux-image-cloud-amd64,initramfs-tools,systemd,systemd-sysv,udev,dbus,libpam-systemd,libnss-myhostname,"
    "openssh-server,sudo,python3,python3-apt,python3-venv,iproute2,procps,kmod,ca-certificates,mdadm,e2fsprogs,"
    "xfsprogs,parted"
)
# An emulated machine may need longer than systemd's 90 s to find its disks.
KERNEL_ARGUMENTS = "root=/dev/vda rw net.ifnames=0 console=ttyS0 quiet systemd.default_device_timeout_sec=600"
REPAIRED = 1  # exit status of e2fsck; more is worse
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"

# Configuration of the root image by path; it is there before the kernel's package builds its initial RAM disk.
FILES = {
    "etc/fstab": "/dev/vda / ext4 defaults,errors=remount-ro 0 1\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/resolv.conf": "nameserver 10.0.2.3\n",
    "etc/systemd/network/10-eth0.network": "[Match]\nName=eth0\n[Network]\nDHCP=ipv4\n",
    # Only what the root disk needs: an initial RAM disk is unpacked by an emulated CPU.
    "etc/initramfs-tools/conf.d/machine": "MODULES=list\nCOMPRESS=lz4\n",
    "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\next4\n",
    "etc/sudoers.d/operator": f"{USER} ALL=(ALL) NOPASSWD: ALL\n",
}
CONFIGURE = f"""
useradd --create-home --shell /bin/bash --gid operator {USER}
install -d -m 0700 -o {USER} -g operator /home/{USER}/.ssh
install -m 0600 -o {USER} -g operator /authorized_key /home/{USER}/.ssh/authorized_keys
rm /authorized_key
chmod 0440 /etc/sudoers.d/operator
: > /etc/machine-id
systemctl enable systemd-networkd ssh
systemctl mask apt-daily.timer apt-daily-upgrade.timer
update-initramfs -u -k all
apt-get clean
"""


class MachineError(Exception):
    """What the user can act on; shown without a traceback."""


def run(*command: object) -> None:
    """Run a command that has to succeed."""
    subprocess.run([str(word) for word in command], check=True)


def need(*programs: str) -> None:
    """Refuse to go on without these programs."""
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        raise MachineError(f"{', '.join(missing)} not found: install debootstrap, e2fsprogs, qemu-system-x86 and ssh")


# ---- the root image


def image_name(public_key: str) -> str:
    """Return a name that changes with what goes into the image, so a stale one is never used."""
    recipe = json.dumps([SUITE, IMAGE_MIB, PACKAGES, FILES, CONFIGURE, public_key], sort_keys=True)
    return f"{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}.img"


def ensure_key() -> pathlib.Path:
    """Return the private key that opens every machine; made at the first call."""
    key = CACHE / "id_ed25519"
    if not key.exists():
        need("ssh-keygen")
        CACHE.mkdir(parents=True, exist_ok=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "machines", "-f", key)
    return key


def ensure_image() -> pathlib.Path:
    """Return the root image; building it takes minutes, so it is kept."""
    public_key = ensure_key().with_suffix(".pub").read_text(encoding="ascii")
    image = CACHE / image_name(public_key)
    with (CACHE / "image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not image.exists():
            build_image(image, public_key)
    return image


def build_image(image: pathlib.Path, public_key: str) -> None:
    """Build a root file system without a partition table."""
    need("debootstrap", "unshare", "mke2fs")
    if os.geteuid():
        raise MachineError("building the root image needs root: run it once as root")
    log = image.with_suffix(".log")
    print(f"building {image}, see {log}", file=sys.stderr)
    root = CACHE / "image-root"
    shutil.rmtree(root, ignore_errors=True)
    for name, text in (FILES | {"authorized_key": public_key}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="ascii")
    partial = image.with_suffix(".partial")
    with log.open("wb") as output:
        # In a mount namespace of its own, so that nothing stays mounted however it ends.
        built = subprocess.run(
            ["unshare", "--mount", "sh", "-ec", build_script(root, partial)],
            stdout=output,
            stderr=output,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
            check=False,
        )
    if built.returncode:
        raise MachineError(f"building the root image failed, see {log}")
    shutil.rmtree(root)
    for stale in set(CACHE.glob(f"{SUITE}-*")) - {partial, log}:
        stale.unlink()
    partial.rename(image)


def build_script(root: pathlib.Path, image: pathlib.Path) -> str:
    """Return the shell script that makes `image` out of the files in `root` and Debian's packages."""
    folder = shlex.quote(str(root))
    return f"""
debootstrap --variant=minbase --include={PACKAGES} {SUITE} {folder} {shlex.quote(MIRROR)}
mount --bind /dev {folder}/dev
mount -t proc proc {folder}/proc
mount -t sysfs sys {folder}/sys
chroot {folder} sh -ec {shlex.quote(CONFIGURE)}
umount {folder}/dev {folder}/proc {folder}/sys
mke2fs -q -F -t ext4 -L root -d {folder} {shlex.quote(str(image))} {IMAGE_MIB}M
"""


def ask_image(image: pathlib.Path, request: str) -> str:
    """Return what debugfs answers about a root file system that isn't mounted."""
    need("debugfs")
    return subprocess.run(["debugfs", "-R", request, image], capture_output=True, check=True, text=True).stdout


# ---- machines


class Machine:
    """One machine: a folder with its disks, its settings and what QEMU says."""

    def __init__(self, name: str, machines: pathlib.Path = CACHE) -> None:
        if not name.replace("-", "").isalnum():
            raise MachineError(f"{name!r} is no name of a machine: letters, digits and - only")
        self.name = name
        self.folder = machines / name
        self._connection = self.folder / "connection.yml"
        self._ssh_config = self.folder / "ssh_config"
        self._settings = self.folder / "settings.json"
        self._root = self.folder / "root.img"

    def create(self, disks: int, disk_mib: int, memory_mib: int, forwards: Sequence[int]) -> bool:
        """Make the disks and note the settings, and return whether that was still to be done."""
        if self._settings.exists():
            return False
        image = ensure_image()
        self.folder.mkdir(parents=True, exist_ok=True)
        run("cp", "--sparse=always", "--reflink=auto", image, self._root)
        for disk in self._disks(disks):
            with disk.open("wb") as blank:
                blank.truncate(disk_mib << 20)
        port = free_port()
        settings = {"disks": disks, "memory_mib": memory_mib, "forwards": list(forwards), "port": port}
        self._write_connection(port)
        self._settings.write_text(json.dumps(settings), encoding="ascii")
        return True

    def start(self, timeout_seconds: float) -> None:
        """Start the machine unless it runs, and wait until it answers."""
        settings = self._read_settings()
        if not self.pid():
            need("qemu-system-x86_64", "ssh")
            self._read_boot_files()
            run(*self.command(settings))
        self._wait_for_ssh(timeout_seconds)

    def reboot(self, timeout_seconds: float) -> None:
        """Shut the machine down and start it again."""
        self.stop(timeout_seconds)
        self.start(timeout_seconds)

    def stop(self, timeout_seconds: float) -> None:
        """Shut the machine down; one that does not end in time is ended."""
        pid = self.pid()
        if not pid:
            return
        self.ssh(["sudo", "systemctl", "poweroff"], timeout_seconds=60)
        if not self._ends(timeout_seconds):
            print(f"{self.name} did not shut down in {timeout_seconds:.0f} s, ending it", file=sys.stderr)
            os.kill(pid, signal.SIGKILL)
            self._ends(timeout_seconds=10)

    def destroy(self) -> None:
        """End the machine and forget its disks."""
        pid = self.pid()
        if pid:
            os.kill(pid, signal.SIGKILL)
            self._ends(timeout_seconds=10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def ssh(self, command: Sequence[str], timeout_seconds: float | None = None) -> int:
        """Run a command in the machine; return its exit code, 255 when the machine does not answer."""
        words = ["ssh", "-F", str(self._ssh_config), self.name, *command]
        try:
            return subprocess.run(words, check=False, timeout=timeout_seconds).returncode
        except subprocess.TimeoutExpired:
            return 255

    def pid(self) -> int | None:
        """Return the pid of the machine's QEMU, known by its command line, if it runs."""
        try:
            pid = int((self.folder / "pid").read_text(encoding="ascii"))
            argv = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        return pid if str(self._root_drive()).encode() in argv else None

    def command(self, settings: Mapping[str, Any]) -> list[str]:
        """Return QEMU's command line."""
        forwards = [(settings["port"], 22), *((port, port) for port in settings["forwards"])]
        network = ",".join(["user", "id=user", *(f"hostfwd=tcp:{ADDRESS}:{host}-:{own}" for host, own in forwards)])
        command = ["qemu-system-x86_64", "-name", self.name, "-daemonize", "-pidfile", f"{self.folder}/pid"]
        command += ["-accel", ACCELERATOR, "-smp", "1", "-m", str(settings["memory_mib"]), "-no-reboot"]
        command += ["-display", "none", "-serial", f"file:{self.folder}/console.log"]
        command += ["-kernel", f"{self.folder}/kernel", "-initrd", f"{self.folder}/initrd"]
        command += ["-append", f"{KERNEL_ARGUMENTS} systemd.hostname={self.name}", "-device", "virtio-rng-pci"]
        command += ["-netdev", network, "-device", "virtio-net-pci,netdev=user,romfile="]
        command += ["-drive", self._root_drive(), "-device", "virtio-blk-pci,drive=root"]
        for number, disk in enumerate(self._disks(settings["disks"]), 1):
            command += ["-drive", f"if=none,id=disk{number},file={disk},format=raw,cache=unsafe,discard=unmap"]
            command += ["-device", f"virtio-blk-pci,drive=disk{number},serial=disk{number}"]
        return command

    def _read_boot_files(self) -> None:
        # Like a boot loader: what the machine's own /boot holds now, as its update-initramfs left it. If the machine
        # was ended, part of that is still in the journal of its file system.
        need("e2fsck")
        checked = subprocess.run(["e2fsck", "-p", self._root], check=False, stdout=sys.stderr)
        if checked.returncode > REPAIRED:
            raise MachineError(f"the root file system of {self.name} is broken: destroy the machine")
        shutil.rmtree(self.folder / "boot", ignore_errors=True)
        ask_image(self._root, f"rdump /boot {self.folder}")
        for kind, pattern in (("kernel", "vmlinuz-*"), ("initrd", "initrd.img-*")):
            (found,) = (self.folder / "boot").glob(pattern)
            found.replace(self.folder / kind)

    def _root_drive(self) -> str:
        return f"if=none,id=root,file={self._root},format=raw,cache=unsafe,discard=unmap"

    def _disks(self, count: int) -> list[pathlib.Path]:
        return [self.folder / f"disk{number}.img" for number in range(1, count + 1)]

    def _read_settings(self) -> dict[str, Any]:
        try:
            settings: dict[str, Any] = json.loads(self._settings.read_text(encoding="ascii"))
        except FileNotFoundError:
            raise MachineError(f"there is no machine {self.name}") from None
        return settings

    def _write_connection(self, port: int) -> None:
        # All copies of the image have its host key: the machines are known before they run.
        kind, key = ask_image(self._root, f"cat {HOST_KEY}").split()[:2]
        known_hosts = self.folder / "known_hosts"
        known_hosts.write_text(f"[{ADDRESS}]:{port} {kind} {key}\n", encoding="ascii")
        self._ssh_config.write_text(ssh_config(port, ensure_key(), known_hosts), encoding="ascii")
        variables = {"ansible_host": ADDRESS, "ansible_ssh_common_args": shlex.join(["-F", str(self._ssh_config)])}
        inventory = {"all": {"hosts": {self.name: variables}}}
        # JSON is YAML too, and the standard library writes it.
        self._connection.write_text(json.dumps(inventory, indent=2) + "\n", encoding="ascii")

    def _wait_for_ssh(self, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if not self.pid():
                raise MachineError(f"{self.name} ended; its last words are in {self.folder}/console.log")
            if self.ssh(["true"], timeout_seconds=90) == 0:
                return
            time.sleep(1)
        raise MachineError(f"{self.name} did not answer in {timeout_seconds:.0f} s, see {self.folder}/console.log")

    def _ends(self, timeout_seconds: float) -> bool:
        deadline = time.monotonic() + timeout_seconds
        while self.pid() and time.monotonic() < deadline:
            time.sleep(0.2)
        return not self.pid()


def ssh_config(port: int, key: pathlib.Path, known_hosts: pathlib.Path) -> str:
    """Return how ssh reaches a machine, whatever it is called."""
    options = {
        "HostName": ADDRESS,
        "Port": port,
        "User": USER,
        "IdentityFile": key,
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": known_hosts,
        "BatchMode": "yes",
        "LogLevel": "ERROR",
        "ConnectTimeout": 60,
    }
    return "Host *\n" + "".join(f"  {name} {value}\n" for name, value in options.items())


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        port: int = probe.getsockname()[1]
        return port


# ---- the command line


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the user asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timeout-seconds", type=float, default=1200, help="for a start or a shutdown")
    commands = parser.add_subparsers(dest="action", required=True)
    for action in ("start", "reboot", "stop", "destroy", "ssh"):
        command = commands.add_parser(action)
        command.add_argument("name")
        if action == "start":
            command.add_argument("--disks", type=int, default=0, help="blank disks, /dev/disk/by-id/virtio-disk1, ...")
            command.add_argument("--disk-mib", type=int, default=256)
            command.add_argument("--memory-mib", type=int, default=1024)
            command.add_argument("--forward", type=int, action="append", default=[], metavar="PORT")
        if action == "ssh":
            command.add_argument("words", nargs=argparse.REMAINDER)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run the command line."""
    asked = parse(arguments)
    try:
        machine = Machine(asked.name)
        if asked.action == "ssh":
            return machine.ssh(asked.words)
        if asked.action == "destroy":
            machine.destroy()
        elif asked.action == "stop":
            machine.stop(asked.timeout_seconds)
        elif asked.action == "reboot":
            machine.reboot(asked.timeout_seconds)
        else:
            made = machine.create(asked.disks, asked.disk_mib, asked.memory_mib, asked.forward)
            machine.start(asked.timeout_seconds)
            print(json.dumps({"changed": made, "state": str(machine.folder)}))
    except MachineError as error:
        print(f"machines: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
