"""A kernel is set to what differs, read back, and left alone where it is somebody else's."""

import pathlib

import pytest

from plugins.modules.kernel_settings import Kernel, apply, changes, described, look_up, path_of, unsettable

HUGEPAGE = "/sys/kernel/mm/transparent_hugepage/enabled"


class FakeKernel(Kernel):
    """A tree of files like a kernel's: some are read-only, refuse values, or take them and don't keep them."""

    def __init__(self, root: pathlib.Path) -> None:
        super().__init__(root)
        self.read_only: set[str] = set()
        self.refuses: set[str] = set()
        self.forgets: set[str] = set()

    def writable(self, path: str) -> bool:
        return path not in self.read_only

    def write(self, path: str, value: str) -> None:
        if path in self.refuses:
            raise OSError(22, "Invalid argument")
        if path not in self.forgets:
            super().write(path, value)


@pytest.fixture
def kernel(tmp_path: pathlib.Path) -> FakeKernel:
    for name, text in (
        ("vm.swappiness", "60\n"),
        ("net.ipv4.ip_local_port_range", "32768\t60999\n"),
        (HUGEPAGE, "[always] madvise never\n"),
    ):
        path = tmp_path / path_of(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return FakeKernel(tmp_path)


def test_what_differs_is_set_and_a_second_run_finds_nothing_to_do(kernel: FakeKernel) -> None:
    wanted = {"vm.swappiness": 1, "net.ipv4.ip_local_port_range": "20000 60999"}
    settings = look_up(kernel, wanted)
    assert [setting.name for setting in changes(settings)] == ["net.ipv4.ip_local_port_range", "vm.swappiness"]
    assert apply(kernel, settings) == []
    assert kernel.read("proc/sys/vm/swappiness") == "1"
    assert changes(look_up(kernel, wanted)) == []


def test_numbers_are_equal_whatever_stands_between_them(kernel: FakeKernel) -> None:
    assert changes(look_up(kernel, {"net.ipv4.ip_local_port_range": "32768  60999"})) == []


def test_of_a_file_that_lists_its_choices_the_one_in_brackets_counts(kernel: FakeKernel) -> None:
    assert changes(look_up(kernel, {HUGEPAGE: "always"})) == []
    assert [(setting.found, setting.wanted) for setting in changes(look_up(kernel, {HUGEPAGE: "never"}))] == [
        ("always", "never")
    ]


def test_yes_and_no_are_1_and_0(kernel: FakeKernel) -> None:
    assert [setting.wanted for setting in look_up(kernel, {"vm.swappiness": False})] == ["0"]


def test_looking_changes_nothing_and_the_diff_shows_what_would(kernel: FakeKernel) -> None:
    settings = look_up(kernel, {"vm.swappiness": 1, HUGEPAGE: "always"})
    assert described(settings, after=False) == "vm.swappiness = 60\n"
    assert described(settings, after=True) == "vm.swappiness = 1\n"
    assert kernel.read("proc/sys/vm/swappiness") == "60"


def test_a_value_that_did_not_take_is_named(kernel: FakeKernel) -> None:
    kernel.forgets.add("proc/sys/vm/swappiness")
    assert apply(kernel, look_up(kernel, {"vm.swappiness": 1})) == ["vm.swappiness is '60' although '1' was set"]


def test_a_value_that_the_kernel_refuses_is_named_and_the_others_are_set(kernel: FakeKernel) -> None:
    kernel.refuses.add(HUGEPAGE.lstrip("/"))
    problems = apply(kernel, look_up(kernel, {HUGEPAGE: "sometimes", "vm.swappiness": 1}))
    assert problems == [f"{HUGEPAGE}: the kernel refuses 'sometimes' (Invalid argument)"]
    assert kernel.read("proc/sys/vm/swappiness") == "1"


def test_a_right_value_that_another_setting_undoes_is_named(tmp_path: pathlib.Path, kernel: FakeKernel) -> None:
    class Undoing(FakeKernel):
        def write(self, path: str, value: str) -> None:
            super().write(path, value)
            super().write("proc/sys/net/ipv4/ip_local_port_range", "0 0")

    settings = {"vm.swappiness": 1, "net.ipv4.ip_local_port_range": "32768 60999"}
    undoing = Undoing(tmp_path)
    assert apply(undoing, look_up(undoing, settings)) == [
        "net.ipv4.ip_local_port_range is '0 0' although '32768 60999' was set"
    ]


def test_what_is_read_only_or_unknown_is_left_alone_and_named(kernel: FakeKernel) -> None:
    kernel.read_only |= {"proc/sys/vm/swappiness", HUGEPAGE.lstrip("/")}
    settings = look_up(kernel, {"vm.swappiness": 1, "vm.swapiness": 1, HUGEPAGE: "always"})
    assert unsettable(settings) == {"vm.swapiness": "is unknown to this kernel", "vm.swappiness": "is read-only"}
    assert changes(settings) == []
    assert apply(kernel, settings) == []
    assert kernel.read("proc/sys/vm/swappiness") == "60"


@pytest.mark.parametrize("mark", ["run/systemd/container", ".dockerenv", "run/.containerenv"])
def test_a_container_is_known_by_the_marks_of_its_engine(kernel: FakeKernel, tmp_path: pathlib.Path, mark: str) -> None:
    assert not kernel.in_container()
    (tmp_path / mark).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / mark).touch()
    assert kernel.in_container()


def test_a_container_sets_what_is_of_its_own_network_and_not_what_others_share(
    kernel: FakeKernel, tmp_path: pathlib.Path
) -> None:
    (tmp_path / ".dockerenv").touch()
    settings = look_up(kernel, {"vm.swappiness": 1, "net.ipv4.ip_local_port_range": "20000 60999", HUGEPAGE: "always"})
    assert unsettable(settings) == {"vm.swappiness": "is set for the whole machine"}
    assert apply(kernel, settings) == []
    assert kernel.read("proc/sys/vm/swappiness") == "60"
    assert kernel.read("proc/sys/net/ipv4/ip_local_port_range") == "20000 60999"
