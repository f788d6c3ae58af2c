"""Properties as typed configuration: files at the start, `-p` and `-m`, and changes at run time.

Several dataclasses are filled from one file (see `setting` for what their fields may say), and one property may
feed several. Where Java stays silent (`common/MixAll.properties2Object`) this speaks: what can't be meant is an
error, what has no effect a warning. Texts go in and come out; reading and writing files is the caller's.
"""

import dataclasses
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from broker_py.errors import ConfigError
from broker_py.model.java_properties import Property, format_property, merge_properties, parse_properties
from broker_py.runtime.property_names import JAVA_NAMES, OTHER_NAMES, current_value
from broker_py.runtime.setting import Places, Setting, format_value, settings_of

_T = TypeVar("_T")
_NEAR: Final = 0.75  # of difflib: "listenPrt" is near listenPort, "color" is near nothing


@dataclass(frozen=True)
class Loaded:
    """Filled configurations; `given` are the properties that were set, as text under their current names."""

    configs: tuple[object, ...]
    warnings: tuple[str, ...]
    given: dict[str, str]

    def get(self, owner: type[_T]) -> _T:
        """Return the configuration of type `owner`; it must be one of those that were loaded."""
        for config in self.configs:
            if isinstance(config, owner):
                return config
        raise LookupError(f"{owner.__name__} was not loaded")


def load_config(properties: Iterable[Property], *owners: type[Any], home: str, directory: str) -> Loaded:
    """Fill an instance of each dataclass in `owners` from `properties`; every field has a default.

    A later source (the command line behind the file) overrides an earlier one; so does a later line, with a warning.
    `~` in paths is `home`, relative paths are relative to `directory`; that goes for defaults too.
    Raises ConfigError with a line for each unknown property, bad value, trailing blank, and old name whose value
    differs from that of the current one.
    """
    places = Places(home, directory)
    reader = _Reader((setting for owner in owners for setting in settings_of(owner)), places)
    given = reader.read(properties)
    reader.stop_on_errors()
    configs = tuple(_with_paths(owner(**reader.values.get(owner, {})), places) for owner in owners)
    return Loaded(configs, (*reader.warnings, *_unused_warnings(reader.unused)), given)


def apply_update(text: str, configs: Sequence[object], *, home: str, directory: str) -> Loaded:
    """Return `configs` with the properties in `text` changed; `given` has those that the file should get.

    Only fields with `runtime` in their metadata may change; any other may be repeated with the value it has.
    Raises ConfigError with a line for each property that is refused; then no change counts.
    """
    reader = _Reader((setting for config in configs for setting in settings_of(type(config))), Places(home, directory))
    given = reader.read(parse_properties(text))
    for item in reader.unused:
        reader.errors.append(item.problem("is a property of RocketMQ that has no effect here"))
    current = {type(config): config for config in configs}
    changes: dict[str, str] = {}
    for name, value in given.items():
        settings = reader.settings.get(name, [])
        if all(setting.runtime for setting in settings):
            changes[name] = value
        elif any(reader.differs(setting, current[setting.owner]) for setting in settings):
            reader.errors.append(f"{name} can't be changed while the broker runs")
    reader.stop_on_errors()
    changed = tuple(_replaced(config, reader.values.get(type(config), {})) for config in configs)
    return Loaded(changed, tuple(reader.warnings), changes)


def format_properties(configs: Iterable[object], *, important: bool = False) -> str:
    """Return all settings, or the `important` ones, as sorted `name=value` lines that read back the same."""
    values: dict[str, str] = {}
    for config in configs:
        for setting in settings_of(type(config)):
            if setting.important or not important:
                values.setdefault(setting.name, format_value(getattr(config, setting.field)))
    return "".join(format_property(name, values[name]) + "\n" for name in sorted(values))


def rewrite_properties(text: str, changes: Mapping[str, str]) -> str:
    """Return a file's `text` with `changes` (as in `Loaded.given`) in it, otherwise as the operator wrote it."""
    return merge_properties(text, changes, {written: other.name for written, other in OTHER_NAMES.items()})


@dataclass(frozen=True)
class _Given:
    """A property under its current name and in its current unit, and how it was written."""

    name: str
    value: str
    written: Property

    def problem(self, what: str) -> str:
        """The sentence "<place>: <name as written> <what>"."""
        sentence = f"{self.written.name or 'a line without a name'} {what}"
        place = self.written.where
        return f"{place}: {sentence}" if place else sentence


class _Reader:
    """Turns properties into field values, and gathers what there is to say about them."""

    def __init__(self, settings: Iterable[Setting], places: Places) -> None:
        self._places = places
        self.settings: dict[str, list[Setting]] = {}
        self.values: dict[type[Any], dict[str, object]] = {}
        self.unused: list[_Given] = []
        self.warnings: list[str] = []
        self.errors: list[str] = []
        for setting in settings:
            self.settings.setdefault(setting.name, []).append(setting)

    def read(self, properties: Iterable[Property]) -> dict[str, str]:
        """Take in all properties; return the text of each that counts, under its current name."""
        effective: dict[str, _Given] = {}
        for written in properties:
            item = self._current(written)
            earlier = effective.pop(item.name, None)
            if earlier is not None and earlier.written.source == written.source:
                self._compare(earlier, item)
            effective[item.name] = item
        for item in effective.values():
            self._take(item)
        return {name: item.value for name, item in effective.items()}

    def differs(self, setting: Setting, config: object) -> bool:
        """True when a value was read for a field that is not the one in `config`."""
        values = self.values.get(setting.owner, {})
        return setting.field in values and values[setting.field] != getattr(config, setting.field)

    def stop_on_errors(self) -> None:
        """Raise ConfigError if there are errors."""
        if self.errors:
            raise ConfigError("\n".join(self.errors))

    def _current(self, written: Property) -> _Given:
        other = OTHER_NAMES.get(written.name)
        if other is None:
            return _Given(written.name, written.value, written)
        value, remark = current_value(written.name, written.value)
        item = _Given(other.name, value, written)
        self.warnings.append(item.problem(f"is {other.kind} of {other.name}" + (f"; {remark}" if remark else "")))
        return item

    def _compare(self, earlier: _Given, item: _Given) -> None:
        if earlier.value == item.value:
            return
        line = earlier.written.line
        if earlier.written.name == item.written.name:
            self.warnings.append(item.problem(f"replaces the value of line {line}"))
        else:
            self.errors.append(item.problem(f"differs from {earlier.written.name} in line {line}; keep one of them"))

    def _take(self, item: _Given) -> None:
        settings = self.settings.get(item.name, [])
        if not settings and item.name not in JAVA_NAMES:
            self.errors.append(item.problem(f"is not a known property{self._hint(item.name)}"))
        elif item.value != item.value.strip():
            self.errors.append(item.problem("has a blank at an end of its value; remove it"))
        elif not settings:
            self.unused.append(item)
        else:
            self._parse(item, settings)

    def _parse(self, item: _Given, settings: list[Setting]) -> None:
        try:
            for setting in settings:
                value = setting.parse(item.value, self._places)
                self.values.setdefault(setting.owner, {})[setting.field] = value
        except ConfigError as error:
            self.errors.append(item.problem(str(error)))

    def _hint(self, name: str) -> str:
        known = {candidate.lower(): candidate for candidate in sorted(JAVA_NAMES | self.settings.keys())}
        near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=_NEAR)
        return f"; did you mean {known[near[0]]}?" if near else ""


def _unused_warnings(unused: list[_Given]) -> Iterator[str]:
    sources = dict.fromkeys(item.written.source for item in unused)
    for source in sources:
        names = ", ".join(item.name for item in unused if item.written.source == source)
        yield f"{source}: properties of RocketMQ that have no effect here: {names}"


def _with_paths(config: Any, places: Places) -> object:
    """Locate the paths that are defaults; those that were given are absolute already and stay."""
    settings = settings_of(type(config))
    return _replaced(config, {s.field: s.located(getattr(config, s.field), places) for s in settings})


def _replaced(config: Any, values: Mapping[str, object]) -> object:
    changed: object = dataclasses.replace(config, **values)
    return changed
