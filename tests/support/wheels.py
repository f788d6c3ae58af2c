"""Releases of this project to install in tests: wheels with any version, made without a build tool or an index.

python -m tests.support.wheels DIRECTORY VERSION
"""

import base64
import hashlib
import sys
import zipfile
from pathlib import Path
from typing import Final

TOP: Final = Path(__file__).resolve().parents[2]
COMMANDS: Final = ("mqnamesrv", "mqbroker", "mqadmin", "mqshutdown", "mqquickstart")
BROKEN: Final = """import sys


def main() -> int:
    sys.stderr.write("this release can't start\\n")
    return 1
"""


def make_wheel(directory: Path, version: str, *, broken_command: str | None = None) -> Path:
    """Write a wheel of the present source that calls itself `version`; one of its daemons may be made not to start."""
    files = {str(path.relative_to(TOP)): path.read_text() for path in sorted(TOP.glob("broker_py/**/*.py"))}
    files["broker_py/__init__.py"] = f'__version__ = "{version}"\n'
    if broken_command is not None:
        files[f"broker_py/cli/{broken_command}.py"] = BROKEN
    info = f"broker_py-{version}.dist-info"
    scripts = "".join(f"{command} = broker_py.cli.{command}:main\n" for command in COMMANDS)
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: broker-py\nVersion: {version}\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{scripts}"
    files[f"{info}/RECORD"] = "".join(_record(name, text) for name, text in files.items()) + f"{info}/RECORD,,\n"
    directory.mkdir(parents=True, exist_ok=True)
    wheel = directory / f"broker_py-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return wheel


def _record(name: str, text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(text.encode())}\n"


if __name__ == "__main__":
    sys.stdout.write(f"{make_wheel(Path(sys.argv[1]), sys.argv[2])}\n")
