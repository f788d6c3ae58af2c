"""YAML, by PyYAML, which only who uses access control needs to have: plain values alone, and not many of them."""

from typing import Any, Final

from broker_py.errors import ConfigError

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 20


def load_yaml(data: bytes, source: str) -> Any:
    """Return the values of a text; ConfigError says what is wrong with it and where, without quoting it.

    Anchors and aliases are refused: by them a short text can mean any amount.
    """
    yaml = _library()
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{source} has {len(data)} bytes; {MAX_BYTES} are allowed")
    loader = None
    try:
        text = data.decode()
        _check_shape(yaml, text, source)
        loader = yaml.SafeLoader(text)
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = "" if mark is None else f", line {mark.line + 1}"
        raise ConfigError(f"{source}{where}: it is not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError, TypeError) as error:
        raise ConfigError(f"{source} is not YAML: {type(error).__name__}") from None
    finally:
        if loader is not None:
            loader.dispose()


def dump_yaml(values: Any) -> bytes:
    """Return values as a text that RocketMQ reads the same."""
    text: str = _library().safe_dump(values, sort_keys=False, default_flow_style=False, allow_unicode=True)
    return text.encode()


def _check_shape(yaml: Any, text: str, source: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise ConfigError(f"{source}, line {event.start_mark.line + 1}: anchors and aliases are not allowed")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise ConfigError(f"{source}, line {event.start_mark.line + 1}: more than {MAX_DEPTH} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _library() -> Any:
    try:
        import yaml  # noqa: PLC0415  a broker without access control does without it
    except ImportError:
        raise ConfigError("YAML files need PyYAML: pip install 'broker-py[acl]'") from None
    return yaml
