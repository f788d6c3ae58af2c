import os
import pathlib
from collections.abc import Mapping, Sequence

import pytest

from plugins.modules.wheel import WheelError, build, describe, digest_of_source, source_files

WHEEL = "broker_py-0.1.0-py3-none-any.whl"


@pytest.fixture
def source(tmp_path: pathlib.Path) -> pathlib.Path:
    source = tmp_path / "source"
    (source / "broker_py/cli").mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE", "broker_py/__init__.py", "broker_py/cli/mqbroker.py"):
        (source / name).write_text(name)
    return source


class Pip:
    """Stands in for pip: writes a wheel, or fails."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.built: list[list[str]] = []

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
        assert environment["SOURCE_DATE_EPOCH"]
        assert pathlib.Path(environment["PIP_BUILD_CONSTRAINT"]).read_text().startswith("setuptools==")
        copy = pathlib.Path(command[-1])
        self.built.append(sorted(str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()))
        assert {path.stat().st_mode & 0o777 for path in copy.rglob("*.py")} == {0o644}
        if self.fails:
            return 1, "", "no index can be reached"
        wheels = pathlib.Path(command[command.index("--wheel-dir") + 1])
        wheels.mkdir()
        (wheels / WHEEL).write_bytes(b"wheel")
        return 0, "", ""


def test_the_wheel_is_made_of_the_source_and_of_nothing_that_lies_around(source: pathlib.Path) -> None:
    (source / "broker_py/__pycache__").mkdir()
    (source / "broker_py/__pycache__/x.pyc").write_text("")
    (source / "build").mkdir()
    (source / "build/old.py").write_text("")
    names = [str(path.relative_to(source)) for path in source_files(source)]
    assert names == ["LICENSE", "README.md", "broker_py/__init__.py", "broker_py/cli/mqbroker.py", "pyproject.toml"]


def test_the_digest_follows_the_content_and_not_times_and_modes(source: pathlib.Path) -> None:
    before = digest_of_source(source)
    program = source / "broker_py/cli/mqbroker.py"
    os.utime(program, (0, 0))
    program.chmod(0o600)
    assert digest_of_source(source) == before
    program.write_text("other")
    assert digest_of_source(source) != before


def test_a_source_is_built_once(source: pathlib.Path, tmp_path: pathlib.Path) -> None:
    pip = Pip()
    program = source / "broker_py/cli/mqbroker.py"
    program.chmod(0o600)
    first = build(source, tmp_path / "cache", "python3", pip.run)
    assert build(source, tmp_path / "cache", "python3", pip.run) == first
    assert pip.built == [[str(path.relative_to(source)) for path in source_files(source)]]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [first.name]


def test_a_build_that_fails_is_told_and_leaves_nothing(source: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with pytest.raises(WheelError, match=r"could not build the wheel of .*: no index can be reached"):
        build(source, tmp_path / "cache", "python3", Pip(fails=True).run)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_directory_without_a_project_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(WheelError, match=r"has no pyproject\.toml to build a wheel from: set runtime_wheel"):
        digest_of_source(tmp_path)


def test_a_release_is_named_after_version_and_digest_and_its_own_wheel_comes_first(tmp_path: pathlib.Path) -> None:
    (tmp_path / WHEEL).write_bytes(b"wheel")
    (tmp_path / "a_dependency-2.0-py3-none-any.whl").write_bytes(b"other")
    found = describe(tmp_path)
    assert [file["name"] for file in found["files"]] == [WHEEL, "a_dependency-2.0-py3-none-any.whl"]
    assert found["version"] == "0.1.0"
    assert found["release"] == f"0.1.0-{found['files'][0]['sha256'][:12]}"
    assert describe(tmp_path / WHEEL)["release"] == found["release"]


@pytest.mark.parametrize("name", ["broker_py-0.1.0.tar.gz", "other-1.0-py3-none-any.whl"])
def test_what_is_no_wheel_of_ours_is_refused(tmp_path: pathlib.Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(WheelError, match="holds 0 wheels of broker_py, 1 is needed"):
        describe(tmp_path / name)


def test_a_wheel_that_is_not_there_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(WheelError, match="set runtime_wheel to it"):
        describe(tmp_path / WHEEL)
