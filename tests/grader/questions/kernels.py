"""A small notebook of questions, what students might hand in, and kernels that follow a script."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.lab.docker.notebook import Ran

TEXT = """\
# Ports: questions

Read, predict, run.

```console
$ this is text
```

## 1. A port

```python
import socket
```

```python free
print("try something")
```

```python answer=port
port = None  # a number
### BEGIN SOLUTION
port = 4711
### END SOLUTION
```

```toml graded=port points=2
what = "`port`: an int"
hint = "Look at the handout."
values.mine = "port"
holds = ["type(mine) is int", "mine > 1024"]
```

## 2. Two more

```python answer=ports
def ports(n):
    ### BEGIN SOLUTION
    return list(range(n))
    ### END SOLUTION
```

```toml graded=ports points=3
what = "`ports(n)`"
values.three = "ports(3)"
values.none = "ports(0)"
holds = ["three == [0, 1, 2]", "none == []"]
```

```markdown answer=why points=1
Because a port is 16 bits.
```
"""


def answered(notebook: bytes, answers: Mapping[str, str], *, own: Mapping[str, str] | None = None) -> bytes:
    """A notebook with answers put into its cells, and cells of the student's own below some of them."""
    whole = json.loads(notebook)
    cells = []
    for cell in whole["cells"]:
        cells.append({**cell, "source": answers.get(cell["id"], cell["source"])})
        if cell["id"] in (own or {}):
            cells.append({"cell_type": "code", "source": (own or {})[cell["id"]], "metadata": {}, "outputs": []})
    return json.dumps({**whole, "cells": cells}).encode()


@dataclass
class Scripted:
    """Kernels that run cells in this process; a source with one of the words ends as the word says."""

    words: Mapping[str, str] = field(default_factory=dict)  #: in a cell's source -> how it ends
    started: int = 0
    asked: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    broken: int = 0  #: how many nodes do not start

    @contextlib.contextmanager
    def node(self, submission: Path) -> Iterator[Scripted]:
        assert submission
        self.started += 1
        if self.broken:
            from harness.lab.interface import LabError

            self.broken -= 1
            raise LabError("no engine")
        self.names: dict[str, Any] = {}
        yield self

    def run(self, source: str, seconds: float) -> Ran:
        self.ran.append(source)
        for word, ended in self.words.items():
            if word in source:
                return Ran(ended, {"outputs": []}, seconds if ended in ("late", "stuck") else 0.1)
        try:
            exec(source, self.names)
        except Exception as error:
            return Ran("error", {"outputs": [{"kind": "error", "text": repr(error)}]}, 0.1)
        return Ran("ok", {"outputs": [{"kind": "stream", "name": "stdout", "text": "ran"}]}, 0.1)

    def ask(self, expression: str, seconds: float) -> Ran:
        assert seconds
        self.asked.append(expression)
        try:
            return Ran("ok", {"value": repr(eval(expression, self.names))}, 0.1)
        except Exception as error:
            return Ran("ok", {"value": None, "why": type(error).__name__}, 0.1)
