"""YAML, JSON and XML files from users, read as plain values: no code runs, no short file takes hours or all memory."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

import yaml

from pixda.errors import UserError

# Far above what configs, grids and class sets need. A YAML parser takes seconds for a megabyte, and names of parts
# (anchors) can make a few lines stand for billions of values.
_MOST_YAML = 256 * 1024
_MOST_VALUES = 20_000
_DEEPEST = 40
_LONGEST = 10_000

_MOST_JSON = 64 * 1024 * 1024
_MOST_ELEMENTS = 1_000_000  # of XML, each some hundred bytes in memory


def read_text(path: Path, what: str, most: int = _MOST_JSON) -> str:
    """A text file of at most so many bytes as it is; `what` it is begins the sentence of an error.

    Raises UserError for a file that is missing, too large, or not in UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise UserError(f"{what} {path} is larger than {most // 1024} KiB, so it is no such file: check the path.")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{what} {path} cannot be read ({error.strerror or error}): check the path.") from error
    except ValueError as error:  # bytes that are no UTF-8, a path with a null character
        raise UserError(f"{what} {path} is not a text in UTF-8 ({one_line(error)}): check the path.") from error


def read_yaml(path: Path, what: str) -> Any:
    """The plain values of a YAML file; `what` it is begins the sentence of an error.

    Raises UserError for a file that is missing, too large, or no YAML, with the line and what to do; and for one that
    asks for objects, which are never made.
    """
    text = read_text(path, what, _MOST_YAML)
    try:
        check_yaml(text)
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        raise UserError(f"{what} {path} cannot be read as YAML: {_place(error)}.") from error
    except Exception as error:  # a date of month 13, a number of thousands of digits: no YAMLError
        raise UserError(
            f"{what} {path} cannot be read as YAML: {one_line(error)}; correct that value, or put it in quotes."
        ) from error


def check_yaml(text: str) -> None:
    """Raise a yaml.YAMLError for text that is no YAML, or that stands for more than any config says.

    Only events are looked at, one after the other, so that neither depth nor repetition costs anything here.
    """
    sizes: dict[str, int] = {}  # of what anchors name, in values
    began: list[_Collection] = []
    count = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.NodeEvent) and began:
            began[-1].take(event)
        if isinstance(event, yaml.AliasEvent):
            if anchor not in sizes:  # never given, or to the very collection that it stands in
                raise _refused(event, f"'*{anchor}' stands for nothing that is complete above it")
            count += sizes[anchor]
        elif isinstance(event, yaml.ScalarEvent):
            if len(event.value) > _LONGEST:
                raise _refused(event, f"the text is longer than {_LONGEST} characters")
            count += 1
            if anchor is not None:
                sizes[anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(began) == _DEEPEST:
                raise _refused(event, f"more than {_DEEPEST} levels are nested")
            sizes.pop(anchor or "", None)
            began.append(_Collection(anchor, count, isinstance(event, yaml.MappingStartEvent)))
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = began.pop()
            if ended.anchor is not None:
                sizes[ended.anchor] = count - ended.before
        if count > _MOST_VALUES:
            raise _refused(event, f"the file stands for more than {_MOST_VALUES} values")


@dataclass
class _Collection:
    """A list or mapping being parsed."""

    anchor: str | None
    before: int
    """Values that came before it."""
    mapping: bool
    nodes: int = 0
    keys: set[str] = field(default_factory=set)

    def take(self, event: yaml.NodeEvent) -> None:
        """Refuse a key that is given twice: YAML would silently keep the last one."""
        if self.mapping and self.nodes % 2 == 0 and isinstance(event, yaml.ScalarEvent) and event.value != "<<":
            if event.value in self.keys:
                raise _refused(event, f"'{event.value[:50]}' is given twice in one place")
            self.keys.add(event.value)
        self.nodes += 1


def _refused(event: yaml.Event, problem: str) -> yaml.MarkedYAMLError:
    error = yaml.MarkedYAMLError(problem=problem)
    error.problem_mark = event.start_mark  # type: ignore[assignment]  # the C parser's marks say the same
    return error


def read_json(path: Path, what: str) -> Any:
    """The plain values of a JSON file; `what` it is begins the sentence of an error.

    Raises UserError for a file that is missing, too large, or no JSON.
    """
    text = read_text(path, what)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{what} {path} cannot be read as JSON ({one_line(error)}); it may be cut short or changed by hand: "
            "make it anew."
        ) from error


def read_xml(path: Path, what: str) -> Element:
    """The topmost element of an XML file; `what` it is begins the sentence of an error.

    Raises UserError for a file that is missing, too large, or no XML; and for one that declares a document type, which
    could define names that stand for gigabytes.
    """
    text = read_text(path, what)
    parser = XMLParser(target=_Elements())
    try:
        parser.feed(text)
        top: Element = parser.close()
    except (ParseError, ValueError, AssertionError) as error:  # the last one: text after the end
        raise UserError(
            f"{what} {path} cannot be read as XML ({one_line(error)}); it may be cut short or changed by hand: make "
            "it anew."
        ) from error
    return top


class _Elements(TreeBuilder):
    """Builds elements as long as there are not too many, and no document type comes before them."""

    def __init__(self) -> None:
        super().__init__()
        self._left = _MOST_ELEMENTS

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Called before what is declared in it is read."""
        raise ValueError("it declares a document type, which is not allowed")

    def start(self, tag: str, attrs: dict[Any, Any], /) -> Element:
        """Count an element."""
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"it has more than {_MOST_ELEMENTS} elements")
        return super().start(tag, attrs)


def one_line(error: Exception, most: int = 200) -> str:
    """The text of an error without line breaks and its last full stop, cut where a sentence should have ended."""
    text = " ".join(str(error).split())
    shown = text if len(text) <= most else f"{text[:most]} ..."
    return shown.removesuffix(".") or type(error).__name__


def _place(error: yaml.MarkedYAMLError) -> str:
    """Where the mistake is, what it is, and what usually mends it."""
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    problem = " ".join((error.problem or error.context or "").split())
    if "mapping values" in problem:
        hint = "a text that holds ': ' needs quotes, and every 'key: value' a line of its own"
    elif "constructor for the tag" in problem:
        hint = "tags that make objects are not allowed; write plain values"
    elif "\\t" in problem:
        hint = "indent with spaces instead of tabs"
    else:
        hint = "correct that line; look for a missing quote, bracket or indentation there or just above"
    return f"{where}{problem}; {hint}"
