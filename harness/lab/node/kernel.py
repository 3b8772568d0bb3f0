"""The first process of a notebook's node: has a kernel run what the host says, and tells what came of it.

Rule 1: nothing from the kernel is believed: the key to its channels is the student's, so anything may come, and any
        amount of it. What is passed on is bounded here and read again outside.
Rule 2: it knows no answer; an expression comes when it is asked, and nothing that a kernel prints then is passed on.
Rule 3: it is root, the kernel is the student's user: a student can neither read nor stop it.

The host speaks in lines on standard input and output, as harness/lab/node/reply.py has them. One kernel, one node:
when a kernel is gone, this ends after it has said so.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from harness.lab.node.agent_child import STUDENT, by_student, copy_tree, spawn
from harness.lab.node.agent_kernel import cpu_used
from harness.lab.node.reply import Refused, encode, perform
from harness.text.lines import Lines

SUBMISSION, WORK, CODE, PACKAGES = "/submission", "/work", "/code", "/usr/local/lib/socketlab"
#: Seconds within which a kernel has to begin, and within which one that was interrupted has to answer.
BEGINS_WITHIN, STOPS_WITHIN = 60.0, 5.0
#: Seconds within which the submission has to be copied.
COPY_WITHIN = 20.0
#: The most that is passed on of one cell: outputs, characters of text, characters of pictures.
MOST_OUTPUTS, MOST_TEXT, MOST_PICTURES = 60, 100_000, 6_000_000
#: The most of a message from the kernel (bytes), and how many wait to be read.
MOST_MESSAGE, MOST_WAITING = 4_000_000, 50
#: The most of a value, in characters.
MOST_VALUE = 70_000
#: The most of a request, in bytes.
MOST_REQUEST = 1 << 20
_SHOWN = ("text/plain", "text/markdown", "image/png", "image/jpeg")
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",  # fresh, so that no file that was handed in is run before the kernel is there
    "USER": f"student{STUDENT}",
    "LOGNAME": f"student{STUDENT}",
    "LANG": "C.UTF-8",
    "PYTHONPATH": f"{CODE}:{PACKAGES}",
    "PYTHONNOUSERSITE": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "IPYTHONDIR": "/tmp/ipython",
    "MPLCONFIGDIR": "/tmp/matplotlib",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}


class Gone(Exception):
    """The kernel has ended."""


class Keeper:
    """Serves the host. Verbs are the methods whose names begin with `do_`."""

    def __init__(self) -> None:
        self.over = False  #: the kernel is gone, and nothing more can be run here
        by_student(lambda: copy_tree(SUBMISSION, WORK), COPY_WITHIN)
        file = self._connection_file()
        nothing = os.open("/dev/null", os.O_RDWR)
        argv = ["python3", "-m", "ipykernel_launcher", "-f", file, "--HistoryManager.enabled=False"]
        # Not in the student's folder, whose files Python would take for its own modules before the kernel is there.
        self._pid = spawn(argv, "/", ENVIRONMENT, (nothing, nothing, nothing))
        self._client = self._connected()
        self._wait_for_it()
        if self._run(f"__import__('os').chdir({WORK!r})", BEGINS_WITHIN, None) != "ok":
            raise Refused("node", "a kernel does not go to its folder")

    def _connection_file(self) -> str:
        holds = [socket.create_server(("127.0.0.1", 0)) for _ in range(5)]
        ports = [one.getsockname()[1] for one in holds]
        for one in holds:
            one.close()
        names = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
        about = {"transport": "tcp", "ip": "127.0.0.1", "signature_scheme": "hmac-sha256", "key": secrets.token_hex(16)}
        path = "/tmp/kernel.json"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(file, json.dumps({**about, **dict(zip(names, ports, strict=True))}).encode())
        self._about = {**about, **dict(zip(names, ports, strict=True))}
        os.fchown(file, STUDENT, STUDENT)
        os.close(file)
        return path

    def _connected(self) -> Any:
        sys.path.append(PACKAGES)
        zmq: Any = importlib.import_module("zmq")
        client_of: Any = importlib.import_module("jupyter_client.blocking.client")
        context = zmq.Context()
        context.setsockopt(zmq.MAXMSGSIZE, MOST_MESSAGE)
        context.setsockopt(zmq.RCVHWM, MOST_WAITING)
        context.setsockopt(zmq.LINGER, 0)
        client: Any = client_of.BlockingKernelClient(context=context)
        client.load_connection_info(self._about)
        client.start_channels(shell=True, iopub=True, stdin=False, hb=False, control=False)
        return client

    def _wait_for_it(self) -> None:
        end = time.monotonic() + BEGINS_WITHIN
        while time.monotonic() < end:
            self._client.kernel_info()
            try:
                self._check()
                self._client.get_shell_msg(timeout=1.0)
                return
            except queue.Empty:
                continue
            except Gone:
                break
        raise Refused("node", "a kernel does not begin")

    def _check(self) -> None:
        """Collect whatever has died. Raises Gone if the kernel has."""
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                raise Gone from None
            if pid == self._pid:
                raise Gone
            if pid == 0:
                return

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def do_run(self, *, source: str, seconds: float) -> dict[str, Any]:
        """Run a cell: how it ended, what it showed, and how much processor the node used (seconds).

        "ok", "error" (it raised something), "late" (it was interrupted, and what is there is still there), "gone" (the
        kernel died), "stuck" (it did not stop when it was told to, and was killed).
        """
        shown, before = Shown(), cpu_used()
        ended = self._run(source, seconds, shown)
        return {"ended": ended, "outputs": shown.outputs, "used": cpu_used() - before}

    def do_ask(self, *, expression: str, seconds: float) -> dict[str, Any]:
        """The value of an expression, as the kernel shows it; null with the name of what it raised."""
        found: dict[str, Any] = {"value": None, "why": "no answer"}

        def answer(content: Any) -> None:
            one = content["user_expressions"]["value"]
            if one["status"] == "ok" and isinstance(text := one["data"]["text/plain"], str):
                long = len(text) > MOST_VALUE
                found.update(value=None if long else text, why="too long" if long else "")
            else:
                found["why"] = str(one.get("ename", "not plain"))[:60]

        before = cpu_used()
        ended = self._run("", seconds, None, asks=expression, answer=answer)
        return {"ended": ended, **found, "used": cpu_used() - before}

    def _run(
        self,
        source: str,
        seconds: float,
        shown: Shown | None,
        *,
        asks: str = "",
        answer: Callable[[Any], None] = lambda _: None,
    ) -> str:
        expressions = {"value": asks} if asks else {}
        try:
            self._check()
            request = self._client.execute(
                source,
                silent=bool(asks),
                store_history=not asks,
                user_expressions=expressions,
                allow_stdin=False,
                stop_on_error=False,
            )
            if (word := self._until_done(request, seconds, shown, answer)) is not None:
                return word
            os.kill(self._pid, signal.SIGINT)
            if self._until_done(request, STOPS_WITHIN, shown, answer) is not None:
                return "late"
            self.over = True
        except (Gone, ProcessLookupError):
            self.over = True
            return "gone"
        return "stuck"

    def _until_done(
        self, request: str, seconds: float, shown: Shown | None, answer: Callable[[Any], None]
    ) -> str | None:
        """Take what comes until the kernel has answered and is idle: "ok" or "error"; None if it is not in time."""
        end = time.monotonic() + seconds
        word, idle = "", False
        while not (word and idle):
            if time.monotonic() > end:
                return word or None
            for channel, kind, content in self._heard(request):
                if channel == "shell" and kind == "execute_reply":
                    word = "ok" if content.get("status") == "ok" else "error"
                    try:
                        answer(content)
                    except (KeyError, TypeError, AttributeError):
                        pass  # Rule 1
                elif kind == "status":
                    idle = idle or content.get("execution_state") == "idle"
                elif shown is not None:
                    shown.take(kind, content)
            if not word:
                self._check()
            elif not idle:
                end = min(end, time.monotonic() + 1.0)  # what it still has to say comes at once, or never
        return word

    def _heard(self, request: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """What has come for a request; waits a moment for it."""
        zmq: Any = importlib.import_module("zmq")
        channels = {"shell": self._client.shell_channel, "iopub": self._client.iopub_channel}
        poller = zmq.Poller()
        for channel in channels.values():
            poller.register(channel.socket, zmq.POLLIN)
        ready = dict(poller.poll(50))
        for name, channel in channels.items():
            for _ in range(MOST_WAITING if channel.socket in ready else 0):
                try:
                    message = channel.get_msg(timeout=0)
                    parent, kind, content = message["parent_header"]["msg_id"], message["msg_type"], message["content"]
                except queue.Empty:
                    break
                except Exception:  # Rule 1: a wrong signature, no JSON, a message of no kind
                    continue
                if parent == request and isinstance(kind, str) and isinstance(content, dict):
                    yield name, kind, content


class Shown:
    """What a cell has shown, within bounds."""

    def __init__(self) -> None:
        self.outputs: list[dict[str, Any]] = []
        self._text, self._pictures = MOST_TEXT, MOST_PICTURES

    def take(self, kind: str, content: dict[str, Any]) -> None:
        """Keep what there is room for."""
        if kind == "clear_output":
            self.outputs = []
        elif kind == "stream" and isinstance(text := content.get("text"), str):
            self._stream(str(content.get("name"))[:10], text)
        elif kind == "error" and isinstance(lines := content.get("traceback"), list):
            self._keep({"kind": "error", "text": self._cut("\n".join(map(str, lines[:200])))})
        elif kind in ("display_data", "execute_result") and isinstance(data := content.get("data"), dict):
            self._keep(
                {"kind": "data", "data": {name: self._data(name, data[name]) for name in _SHOWN if name in data}}
            )

    def _stream(self, name: str, text: str) -> None:
        text = self._cut(text)
        last = self.outputs[-1] if self.outputs else {}
        if text and last.get("kind") == "stream" and last["name"] == name:
            last["text"] += text
        elif text:
            self._keep({"kind": "stream", "name": name, "text": text})

    def _keep(self, output: dict[str, Any]) -> None:
        if len(self.outputs) < MOST_OUTPUTS:
            self.outputs.append(output)

    def _cut(self, text: str) -> str:
        text = text[: self._text]
        self._text -= len(text)
        return text

    def _data(self, name: str, value: Any) -> str:
        if not isinstance(value, str):
            return ""
        if name.startswith("text/"):
            return self._cut(value)
        if len(value) > self._pictures:
            return ""
        self._pictures -= len(value)
        return value


def main() -> None:
    """Serve the host until it hangs up or the kernel is gone."""
    out = sys.stdout.buffer

    def say(said: bytes) -> None:
        out.write(said + b"\n")
        out.flush()

    try:
        keeper = Keeper()
    except Exception as error:
        say(encode(error if isinstance(error, Refused) else Refused("node", f"{type(error).__name__}: {error}")))
        return
    say(encode({"ready": True}))
    lines = Lines(MOST_REQUEST)
    while not keeper.over and (chunk := os.read(0, 65536)):
        for line in lines.feed(chunk):
            try:
                said = encode(perform(keeper, line))
            except Exception as error:
                said = encode(error)
            say(said)


if __name__ == "__main__":
    main()
