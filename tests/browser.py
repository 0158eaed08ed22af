"""A headless Chromium, driven over pipes by the Chrome DevTools Protocol: no package is needed."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from fcntl import F_DUPFD_CLOEXEC, fcntl
from pathlib import Path
from typing import Any, BinaryIO

CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    "",
)
#: descriptors that Chromium reads commands from and writes answers to
READS, WRITES = 3, 4
LOCAL = ("file:", "data:", "about:")  #: addresses that need no network


class Page:
    """One tab. `events` holds its messages since the last file was opened."""

    def __init__(self, to: int, back: BinaryIO) -> None:
        self._to, self._back = to, back
        self._next, self._rest, self.session = 0, b"", ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Return the result of a command of the protocol."""
        self._next += 1
        number = self._next
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def open(self, path: Path) -> None:
        """Show a file and wait until it is loaded."""
        self.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression, a promise's included."""
        answer = self.call(
            "Runtime.evaluate",
            expression=script,
            returnByValue=True,
            awaitPromise=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def look(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """Set the size of the screen in CSS pixels, and the theme."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def complaints(self) -> list[object]:
        """Return the errors and warnings of the console, and the requests to any network."""
        self.call("Runtime.evaluate", expression="0")  # what was on its way has come
        found: list[object] = []
        for event in self.events:
            of = event.get("params", {})
            match event.get("method"):
                case "Runtime.exceptionThrown" | "Log.entryAdded":
                    found.append(of)
                case "Runtime.consoleAPICalled" if of["type"] in ("error", "warning", "assert"):
                    found.append(of)
                case "Network.requestWillBeSent" if not of["request"]["url"].startswith(LOCAL):
                    found.append(of["request"]["url"])
                case _:
                    pass
        return found

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = self._back.read(1 << 16)
            assert more, "the browser has gone"
            self._rest += more
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)


def _pipe() -> tuple[int, int]:
    """A pipe whose ends are none of the descriptors that Chromium takes."""
    ends = os.pipe()
    read, write = (fcntl(end, F_DUPFD_CLOEXEC, WRITES + 1) for end in ends)
    for end in ends:
        os.close(end)
    return read, write


@contextmanager
def browser() -> Generator[Page]:
    """Start Chromium with a fresh profile, and end it."""
    (read, to), (back, write) = _pipe(), _pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
        ]
        process = subprocess.Popen(
            command,
            pass_fds=(READS, WRITES),
            preexec_fn=lambda: (os.dup2(read, READS), os.dup2(write, WRITES)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        try:
            with os.fdopen(back, "rb", buffering=0) as answers:
                yield Page(to, answers)
        finally:
            process.terminate()
            process.wait()
            os.close(to)
