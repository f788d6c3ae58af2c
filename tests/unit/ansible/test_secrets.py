"""Secrets are encrypted where they are kept, and no task shows one in logs, diffs or process lists."""

import hashlib
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret  # type: ignore[import-untyped]

TOP = pathlib.Path(__file__).resolve().parents[3]
EXAMPLE = TOP / "inventories/example-vault"
PASSWORD = "example"  # as its README says

SECRET_NAME = re.compile(r"\b(vault_\w+|\w*(?:password|passphrase|secret)\w*)", re.IGNORECASE)
SEEN_BY_OTHERS = ("command", "shell", "raw", "script")  # arguments that every user of the host can list
TASK_LISTS = ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")

# Stands for sudo: it asks for the password, takes only the one with the digest, and runs the command.
SUDO = """\
#!/bin/sh
while [ "$1" != -u ]; do [ "$1" = -p ] && printf '%s' "$2" >&2; shift; done
shift 2
IFS= read -r password
[ "$(printf '%s' "$password" | sha256sum)" = "{digest}  -" ] || exit 1
exec "$@"
"""
PLAY = """\
- hosts: rocketmq-os1
  gather_facts: false
  become: true
  tasks:
    - ansible.builtin.ping:
    - ansible.builtin.copy:
        content: "{{ ansible_become_password }}"
        dest: "{{ kept }}"
        mode: "0600"
      no_log: true
      diff: false
"""


def decrypted() -> str:
    """Return the secret of the example."""
    vault = VaultLib([("default", VaultSecret(PASSWORD.encode()))])
    content = yaml.safe_load(vault.decrypt((EXAMPLE / "group_vars/all/vault").read_bytes()))
    return str(content["vault_become_password"])


def test_the_example_is_encrypted_and_opens_with_the_password_of_its_readme() -> None:
    assert (EXAMPLE / "group_vars/all/vault").read_text().startswith("$ANSIBLE_VAULT;1.1;AES256\n")
    assert f"password is `{PASSWORD}`" in (EXAMPLE / "README.md").read_text()
    assert len(decrypted()) > 8


def test_the_secret_of_the_example_is_in_no_inventory_in_the_clear() -> None:
    files = [path for path in (TOP / "inventories").rglob("*") if path.is_file()]
    assert EXAMPLE / "group_vars/all/vault" in files
    assert [path for path in files if decrypted().encode() in path.read_bytes()] == []


def test_a_play_uses_the_secret_and_shows_it_nowhere(tmp_path: pathlib.Path) -> None:
    sudo, play, kept = tmp_path / "sudo", tmp_path / "play.yml", tmp_path / "kept"
    sudo.write_text(SUDO.format(digest=hashlib.sha256(decrypted().encode()).hexdigest()))
    sudo.chmod(0o755)
    play.write_text(PLAY)
    (tmp_path / "password").write_text(PASSWORD)
    words = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "ansible_become_exe": str(sudo),
        "kept": str(kept),
    }
    run = subprocess.run(
        [
            pathlib.Path(sys.executable).with_name("ansible-playbook"),
            play,
            *("-i", EXAMPLE, "--vault-password-file", tmp_path / "password", "-vvv", "--diff"),
            *(part for name, value in words.items() for part in ("-e", f"{name}={value}")),
        ],
        cwd=TOP,
        env={**os.environ, "ANSIBLE_HOME": str(tmp_path / "home"), "ANSIBLE_BECOME_ALLOW_SAME_USER": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    output = run.stdout + run.stderr
    assert run.returncode == 0, output
    assert kept.read_text() == decrypted()
    assert str(sudo) in output, "it was not shown how sudo was called, so nothing is proven"
    assert decrypted() not in output


def tasks_in(content: Any) -> Iterator[dict[str, Any]]:
    """Yield the tasks of a playbook or a task file, those in blocks too."""
    for entry in content if isinstance(content, list) else []:
        if isinstance(entry, dict):
            inner = [entry[key] for key in TASK_LISTS if key in entry]
            for tasks in inner:
                yield from tasks_in(tasks)
            if not inner:
                yield entry


def problems(task: Mapping[str, Any]) -> list[str]:
    """Say how a task could show a secret."""
    shown = {key: value for key, value in task.items() if key != "name"}
    found = SECRET_NAME.search(yaml.safe_dump(shown))
    if found is None:
        return []
    what = f"'{task.get('name')}' with {found[0]}"
    actions = {key.rpartition(".")[2] for key in task}
    said = []
    if "set_fact" in actions:
        said.append(f"{what} sets a fact")
    if actions & {*SEEN_BY_OTHERS} or "environment" in task:
        said.append(f"{what} is seen in the list of processes")
    if task.get("no_log") is not True:
        said.append(f"{what} is logged")
    if actions & {"template", "copy", "lineinfile", "blockinfile"} and task.get("diff") is not False:
        said.append(f"{what} is in the diff")
    return said


SECRET = "{{ vault_key }}"


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"ansible.builtin.set_fact": {"key": SECRET}, "no_log": True}, "sets a fact"),
        ({"ansible.builtin.command": {"argv": ["login", SECRET]}, "no_log": True}, "in the list of processes"),
        ({"ansible.builtin.ping": {}, "environment": {"KEY": SECRET}, "no_log": True}, "in the list of processes"),
        ({"ansible.builtin.uri": {"url": "http://h", "body": SECRET}}, "is logged"),
        ({"ansible.builtin.debug": {"var": "admin_password"}}, "is logged"),
        ({"ansible.builtin.copy": {"content": SECRET, "dest": "/key"}, "no_log": True}, "is in the diff"),
    ],
)
def test_a_task_that_could_show_a_secret_is_found(task: dict[str, Any], said: str) -> None:
    (block,) = tasks_in([{"name": "Play", "hosts": "all", "tasks": [{"name": "Block", "block": [task]}]}])
    assert [problem for problem in problems(block) if said in problem]


def test_a_task_that_takes_care_is_fine() -> None:
    assert problems({"ansible.builtin.copy": {"content": SECRET}, "no_log": True, "diff": False}) == []
    assert problems({"name": "Ask for no password", "ansible.builtin.ping": {}}) == []


def test_no_task_of_the_collection_shows_a_secret() -> None:
    files = [path for folder in ("roles", "playbooks", "molecule") for path in (TOP / folder).rglob("*.yml")]
    tasks = [task for path in files for task in tasks_in(yaml.safe_load(path.read_text()))]
    assert len(tasks) > 20
    assert [problem for task in tasks for problem in problems(task)] == []


def test_no_template_of_the_collection_renders_a_secret() -> None:
    templates = list(TOP.glob("roles/*/templates/*")) + list(TOP.glob("templates/*"))
    assert templates
    assert [path for path in templates if SECRET_NAME.search(path.read_text())] == []
