"""A page in headless Chromium, driven over its debugging port: what is needed to read a page and to click on it."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import websocket

#: Seconds that anything may take.
PATIENCE = 40.0
#: A key's number, and the character that it writes.
KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), "Space": (32, " "), "ArrowDown": (40, "")}


class Page:
    """One tab."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=PATIENCE, suppress_origin=True)
        self._number = 0
        self.errors: list[str] = []  #: what the console complained of, and exceptions
        self.dialogs: list[str] = []  #: alert() and the like
        self.asked: list[str] = []  #: addresses that it asked for
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def close(self) -> None:
        self._socket.close()

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        mine = self._number
        self._socket.send(json.dumps({"id": mine, "method": method, "params": params}))
        while True:
            said = json.loads(self._socket.recv())
            if said.get("id") == mine:
                assert "error" not in said, said
                return said.get("result", {})
            self._notice(said.get("method", ""), said.get("params", {}))

    def _notice(self, event: str, params: dict[str, Any]) -> None:
        if event == "Page.javascriptDialogOpening":
            self.dialogs.append(params["message"])
            self._number += 1
            close = {"id": self._number, "method": "Page.handleJavaScriptDialog", "params": {"accept": True}}
            self._socket.send(json.dumps(close))
        elif event == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        elif event == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif event == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])

    def goes_to(self, url: str, *, until: str = "document.readyState === 'complete'") -> None:
        """Load a page, and wait for what it should come to."""
        self._call("Page.navigate", url=url)
        self.waits_for(f"location.href !== 'about:blank' && ({until})")

    def js(self, expression: str) -> Any:
        """What an expression is on the page."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def waits_for(self, expression: str) -> Any:
        """The expression, as soon as it is true; fails when patience is over."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(AssertionError):  # the page is just being replaced
                if found := self.js(f"({expression})"):
                    return found
            time.sleep(0.05)
        raise AssertionError(f"never: {expression}; the page says: {self.js('document.body.innerText')[:2000]}")

    def clicks(self, selector: str) -> None:
        """A real click with the mouse in the middle of an element."""
        where = self.waits_for(
            f"(() => {{ const it = document.querySelector({json.dumps(selector)}); if (!it) return null;"
            " it.scrollIntoView({block: 'center', behavior: 'instant'}); const r = it.getBoundingClientRect();"
            " return r.width ? {x: r.x + r.width / 2, y: r.y + r.height / 2} : null; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **where)

    def types(self, text: str) -> None:
        """Text, as from a keyboard, into what has the focus."""
        self._call("Input.insertText", text=text)

    def presses(self, *keys: str) -> None:
        """Keys by their name, each down and up again: Tab, Enter, Space, ArrowDown."""
        for key in keys:
            code, text = KEYS[key]
            word = {"key": text if key == "Space" else key, "code": key, "windowsVirtualKeyCode": code}
            self._call("Input.dispatchKeyEvent", type="keyDown", text=text, **word)
            self._call("Input.dispatchKeyEvent", type="keyUp", **word)

    def looks_like(self, width: int, *, dark: bool = False) -> None:
        """A screen of so many pixels' width, and what its owner prefers."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._call("Emulation.setEmulatedMedia", features=scheme)

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))


@contextlib.contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    """A tab of a browser of its own."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program is not None
    words = (
        "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-extensions"
        " --window-size=1200,1000 --remote-debugging-port=0 --remote-allow-origins=*"
    )
    command = [program, *words.split(), f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            port = _port(profile / "DevToolsActivePort", process)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=PATIENCE) as answer:
                tabs = json.load(answer)
            page = Page(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))
            try:
                yield page
            finally:
                page.close()
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int(file.read_text().splitlines()[0])
        assert process.poll() is None, "chromium ended"
        time.sleep(0.05)
    raise AssertionError("chromium does not say its port")
