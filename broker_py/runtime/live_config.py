"""The configuration of a running daemon: read at the start, changed by tools, kept in the file it came from."""

import os
from collections.abc import Collection, Sequence
from typing import Any, TypeVar

from broker_py.errors import ConfigError
from broker_py.model.java_properties import Property, parse_properties
from broker_py.runtime.config_file import Loaded, apply_update, format_properties, load_config, rewrite_properties
from broker_py.seams import FileSystem, read_file, replace_file

_T = TypeVar("_T")


class LiveConfig:
    """Filled configuration dataclasses, and the file behind them if there is one."""

    def __init__(self, files: FileSystem, path: str | None, loaded: Loaded, *, home: str, directory: str) -> None:
        self._files = files
        self._path = path
        self._home = home
        self._directory = directory
        self._configs = loaded.configs
        self.warnings = loaded.warnings

    def get(self, owner: type[_T]) -> _T:
        """Return the configuration of type `owner`, as it is now."""
        return Loaded(self._configs, (), {}).get(owner)

    def text(self, names: Collection[str] | None = None, *, important: bool = False) -> str:
        """Return all properties, those in `names`, or the important ones, as sorted `name=value` lines."""
        text = format_properties(self._configs, important=important)
        if names is None:
            return text
        lines = text.splitlines(keepends=True)
        return "".join(line for line in lines if line.partition("=")[0] in names)

    def update(self, text: str) -> None:
        """Change the properties in `text`, in the file first; ConfigError if one may not be changed, then none is."""
        changed = apply_update(text, self._configs, home=self._home, directory=self._directory)
        if self._path is not None and changed.given:
            try:
                old = _decode(read_file(self._files, self._path))
                replace_file(self._files, self._path, rewrite_properties(old, changed.given).encode())
            except OSError as error:
                raise ConfigError(f"{self._path} can't be written: {error.strerror or error}") from None
        self._configs = changed.configs


def load_live_config(
    files: FileSystem, path: str | None, owners: Sequence[type[Any]], overrides: Sequence[Property] = ()
) -> LiveConfig:
    """Read the properties file `path`, or none, and fill `owners` from it; `overrides` count more than the file.

    `~` is the user's home, other relative paths are relative to the working directory. Raises ConfigError.
    """
    home, directory = os.path.expanduser("~"), os.getcwd()
    properties: list[Property] = []
    if path is not None:
        path = os.path.abspath(path)
        try:
            data = read_file(files, path)
        except OSError as error:
            raise ConfigError(f"{path} can't be read: {error.strerror or error}") from None
        properties = parse_properties(_decode(data), os.path.basename(path))
    loaded = load_config([*properties, *overrides], *owners, home=home, directory=directory)
    return LiveConfig(files, path, loaded, home=home, directory=directory)


def _decode(data: bytes) -> str:
    """Return a file's text: UTF-8, or, as Java reads it, ISO-8859-1."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
