"""Virtual machines for tests: what is decided without QEMU, and that nobody else's process is taken for one."""

import json
import os
import pathlib

import pytest

from machines import Machine, MachineError, build_script, image_name, ssh_config

SETTINGS = {"disks": 2, "memory_mib": 512, "forwards": [29876], "port": 40022}


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> Machine:
    made = Machine("os1", tmp_path)
    made.folder.mkdir()
    return made


def test_a_machine_has_its_disks_behind_names_that_stay(machine: Machine) -> None:
    command = " ".join(machine.command(SETTINGS))
    assert f"file={machine.folder}/disk1.img" in command
    assert "virtio-blk-pci,drive=disk2,serial=disk2" in command
    assert "disk3" not in command


def test_only_this_host_reaches_a_machine(machine: Machine) -> None:
    (network,) = [word for word in machine.command(SETTINGS) if word.startswith("user,")]
    assert network == "user,id=user,hostfwd=tcp:127.0.0.1:40022-:22,hostfwd=tcp:127.0.0.1:29876-:29876"


def test_a_machine_is_known_by_the_command_line_of_its_process_and_not_by_a_pid_alone(machine: Machine) -> None:
    assert machine.pid() is None
    (machine.folder / "pid").write_text(str(os.getpid()))
    assert machine.pid() is None


def test_an_image_opens_to_one_key_only() -> None:
    assert image_name("key") == image_name("key") != image_name("another key")


def test_folders_with_blanks_are_quoted_for_the_shell() -> None:
    script = build_script(pathlib.Path("/a b/root"), pathlib.Path("/a b/image"))
    assert "chroot '/a b/root' " in script
    assert "-d '/a b/root' '/a b/image' 3072M" in script


def test_host_keys_are_checked() -> None:
    config = ssh_config(40022, pathlib.Path("/key"), pathlib.Path("/known_hosts"))
    assert "UserKnownHostsFile /known_hosts" in config
    assert "StrictHostKeyChecking" not in config


@pytest.mark.parametrize("name", ["", "../os1", "a b"])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(MachineError, match="is no name of a machine"):
        Machine(name)


def test_a_machine_that_was_not_made_can_not_be_started(machine: Machine) -> None:
    machine.stop(timeout_seconds=1)
    with pytest.raises(MachineError, match="there is no machine os1"):
        machine.start(timeout_seconds=1)


def test_a_machine_that_was_made_keeps_its_settings(machine: Machine) -> None:
    (machine.folder / "settings.json").write_text(json.dumps(SETTINGS))
    assert not machine.create(disks=9, disk_mib=1, memory_mib=1, forwards=[])
    assert json.loads((machine.folder / "settings.json").read_text()) == SETTINGS


def test_destroying_what_is_not_there_is_fine(machine: Machine) -> None:
    machine.destroy()
    machine.destroy()
    assert not machine.folder.exists()
