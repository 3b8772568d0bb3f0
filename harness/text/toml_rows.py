"""A TOML file read key by key, with errors that name file and line and say what to write instead. Pure.

Rule 1: this knows TOML and types, not what any file means.
Rule 2: tomllib keeps no line numbers; they are found by reading the text again, table by table.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, cast

from harness.text.nearest import nearest


class TomlMistake(Exception):
    """The file is wrong; the message names file and line and says what to write instead."""


_HEADER = re.compile(r"""^\s*\[\[?\s*([\w."'-]+)\s*\]\]?""")
_KEY = re.compile(r"""^\s*["']?([\w.-]+)["']?\s*=""")


@dataclass
class _Lines:
    """Where tables and keys are."""

    tables: dict[str, list[int]] = field(default_factory=dict)  #: name -> the line of each of its headers
    keys: dict[tuple[str, int, str], int] = field(default_factory=dict)  #: (table, which one, key) -> line

    @classmethod
    def of(cls, text: str) -> _Lines:
        """Read the text line by line. Lines inside a multi-line text are not taken for keys."""
        lines, table, inside = cls(), "", ""
        for number, line in enumerate(text.splitlines(), 1):
            if not inside and (header := _HEADER.match(line)):
                table = header.group(1).replace('"', "").replace("'", "")
                lines.tables.setdefault(table, []).append(number)
            elif not inside and (key := _KEY.match(line)):
                nth = max(len(lines.tables.get(table, ())) - 1, 0)
                lines.keys.setdefault((table, nth, key.group(1)), number)
            for quote in ('"""', "'''"):
                if inside in ("", quote) and line.count(quote) % 2:
                    inside = "" if inside else quote
        return lines

    def find(self, table: str, nth: int, key: str | None) -> int:
        """The line of a key, else of its table, else 1."""
        if key is not None and (table, nth, key) in self.keys:
            return self.keys[(table, nth, key)]
        here = self.tables.get(table, [])
        return here[nth] if nth < len(here) else self.keys.get(("", 0, table), 1)


class TomlFile:
    """The whole file. Raises TomlMistake when it is not TOML. `name` is what messages call it."""

    def __init__(self, text: str, name: Path | str) -> None:
        self._name = name
        self._lines = _Lines.of(text)
        try:
            self.data: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            where = re.search(r" \(at line (\d+), column \d+\)", str(error))
            line = where.group(1) if where else str(max(text.count("\n"), 1))
            reason = re.sub(r" \(at .*", "", str(error))
            raise TomlMistake(f"{name}, line {line}: this is not TOML: {reason}.") from None
        except ValueError as error:  # a number of thousands of digits
            raise TomlMistake(f"{name} cannot be read: {error}.") from None
        except RecursionError:
            raise TomlMistake(f"{name} cannot be read: it is nested too deeply.") from None

    @classmethod
    def read(cls, path: Path, *, name: str = "", most: int = -1) -> TomlFile:
        """The file at `path`, or its first `most` bytes. Raises TomlMistake when it cannot be read, too."""
        try:
            with path.open("rb") as file:
                return cls(file.read(most).decode("utf-8-sig"), name or path)
        except UnicodeDecodeError as error:
            raise TomlMistake(f"{name or path}: byte {error.start} is not UTF-8. Save the file as UTF-8.") from None
        except OSError as error:
            raise TomlMistake(f"{name or path}: cannot be read ({error.strerror}).") from None

    def wrong(self, table: str, nth: int, key: str | None, what: str, instead: str) -> NoReturn:
        """Raise: `what` is wrong in the nth table of that name; write `instead`."""
        raise TomlMistake(f"{self.where(table, nth, key)}: {what}. {instead}")

    def where(self, table: str, nth: int, key: str | None) -> str:
        """The file and the line of a key, for a message."""
        return f"{self._name}, line {self._lines.find(table, nth, key)}"

    def row(self, table: str, keys: Sequence[str] | None = None) -> Row:
        """The table `[table]`, empty if it is not there."""
        return Row(self, self.data.get(table, {}), table, 0, keys)

    def rows(self, table: str, keys: Sequence[str]) -> list[Row]:
        """Each `[[table]]` in turn; there has to be one."""
        data = self.data.get(table)
        if not isinstance(data, list) or not data:
            self.wrong(table, 0, None, f"[[{table}]] is missing", f"Write [[{table}]] above each row.")
        return [Row(self, item, table, nth, keys) for nth, item in enumerate(data)]


class Row:
    """One table: typed access to its keys. `keys` are those allowed, None allows any."""

    def __init__(self, file: TomlFile, data: object, table: str, nth: int, keys: Sequence[str] | None) -> None:
        self._file, self.table, self._nth = file, table, nth
        if not isinstance(data, dict):
            self.wrong(None, f"{table} has to be a table", f"Write [{table}] on a line of its own.")
        self.data = cast(dict[str, Any], data)
        for key in self.data if keys is not None else ():
            if key not in (keys or ()):
                self.wrong(key, f'unknown key "{key}" in [{table}]', nearest(key, keys or ()))

    def wrong(self, key: str | None, what: str, instead: str) -> NoReturn:
        """Raise: `what` is wrong with that key (None: with the table); write `instead`."""
        self._file.wrong(self.table, self._nth, key, what, instead)

    def where(self, key: str) -> str:
        """The file and the line of a key, for a message."""
        return self._file.where(self.table, self._nth, key)

    def _missing(self, key: str, default: object, example: str) -> bool:
        if key in self.data:
            return False
        if default is None:
            self.wrong(None, f'"{key}" is missing in [{self.table}]', f"Add: {key} = {example}")
        return True

    def text(self, key: str, default: str | None = None, *, example: str = '"..."') -> str:
        """A text without surrounding blanks; it may be empty only if there is a default."""
        if self._missing(key, default, example):
            return cast(str, default)
        value = self.data[key]
        if not isinstance(value, str) or (default is None and not value.strip()):
            self.wrong(key, f'"{key}" has to be a text', f"Write: {key} = {example}")
        if "\0" in value:
            self.wrong(key, f'"{key}" holds a NUL character', f"Write: {key} = {example}")
        return str(value).strip()

    def file_name(self, key: str, *, example: str) -> str:
        """The name of a file in the same folder."""
        name = self.text(key, example=example)
        if name in (".", "..") or set(name) & set("/\\\0"):
            self.wrong(key, f"{name!r} is not a plain file name", f"Write: {key} = {example}")
        return name

    def flag(self, key: str) -> bool:
        """True or false; false where it is missing."""
        value = self.data.get(key, False)
        if not isinstance(value, bool):
            self.wrong(key, f'"{key}" has to be true or false', f"Write: {key} = true, or leave it out.")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number above zero."""
        if self._missing(key, default, "1.0"):
            return cast(float, default)
        value = self.data[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            self.wrong(key, f'"{key}" has to be a number above zero, not {value!r}', f"Write: {key} = 1.0")
        return value

    def whole(self, key: str, default: int | None = None, *, example: str = "1") -> int:
        """A whole number from 1 on."""
        if self._missing(key, default, example):
            return cast(int, default)
        value = self.data[key]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            self.wrong(key, f'"{key}" has to be a whole number from 1 on, not {value!r}', f"Write: {key} = {example}")
        return value

    def words(self, key: str, *, required: bool = False) -> tuple[str, ...]:
        """A list of texts without NUL, none of them empty; an empty list where it is missing and not required."""
        example = '["...", "..."]'
        if self._missing(key, None if required else (), example):
            return ()
        value = self.data[key]
        if not isinstance(value, list) or not all(_is_word(word) for word in value):
            self.wrong(key, f'"{key}" has to be a list of texts', f"Write: {key} = {example}")
        if required and not value:
            self.wrong(key, f'"{key}" is empty', f"Write: {key} = {example}")
        return tuple(value)


def _is_word(value: object) -> bool:
    return isinstance(value, str) and value != "" and "\0" not in value
