"""The configuration of a running daemon: read at the start, changed by tools, kept in the file it came from."""

import hashlib
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from broker_py.errors import ConfigError
from broker_py.model.java_properties import Property, parse_properties
from broker_py.runtime.config_file import Loaded, apply_update, format_properties, load_config, rewrite_properties
from broker_py.seams import FileSystem, read_file, replace_file

_T = TypeVar("_T")


class LiveConfig:
    """Filled configuration dataclasses, and the file behind them if there is one.

    `digest` names the content of the file that is in effect, whatever the file has become since; "none" without one.
    `on_rewrite` hears when a change was written into the file.
    """

    def __init__(
        self, files: FileSystem, path: str | None, loaded: Loaded, digest: str, *, home: str, directory: str
    ) -> None:
        self.digest = digest
        self.on_rewrite: Callable[[], None] = lambda: None
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

    def update(self, text: str, *, persist: bool = True) -> None:
        """Change the properties in `text`; ConfigError if one may not be changed, then none is.

        They are changed in the file first, unless they are not to `persist`: a restart then takes them back.
        """
        changed = apply_update(text, self._configs, home=self._home, directory=self._directory)
        if self._path is None or not changed.given or not persist:
            self._configs = changed.configs
            return
        self._rewrite(self._path, changed.given)
        self._configs = changed.configs
        self.on_rewrite()

    def _rewrite(self, path: str, changes: Mapping[str, str]) -> None:
        """Put the changes into the file."""
        try:
            old = read_file(self._files, path)
            new = rewrite_properties(_decode(old), changes).encode()
            replace_file(self._files, path, new)
        except OSError as error:
            raise ConfigError(f"{path} can't be written: {error.strerror or error}") from None
        # A file that somebody else changed holds more than is in effect, now as before.
        if digest_of(old) == self.digest:
            self.digest = digest_of(new)


def load_live_config(
    files: FileSystem, path: str | None, owners: Sequence[type[Any]], overrides: Sequence[Property] = ()
) -> LiveConfig:
    """Read the properties file `path`, or none, and fill `owners` from it; `overrides` count more than the file.

    `~` is the user's home, other relative paths are relative to the working directory. Raises ConfigError.
    """
    home, directory = os.path.expanduser("~"), os.getcwd()
    properties: list[Property] = []
    digest = "none"
    if path is not None:
        path = os.path.abspath(path)
        try:
            data = read_file(files, path)
        except OSError as error:
            raise ConfigError(f"{path} can't be read: {error.strerror or error}") from None
        properties = parse_properties(_decode(data), os.path.basename(path))
        digest = digest_of(data)
    loaded = load_config([*properties, *overrides], *owners, home=home, directory=directory)
    return LiveConfig(files, path, loaded, digest, home=home, directory=directory)


def digest_of(data: bytes) -> str:
    """Return the name of a file's content: `sha256:` and the hexadecimal digest."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _decode(data: bytes) -> str:
    """Return a file's text: UTF-8, or, as Java reads it, ISO-8859-1."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
