"""The page's server as a process of its own, and a real browser in front of it."""

import http.client
import json
import re
import shutil
import signal
import urllib.parse
from typing import NamedTuple

import pytest

from helpers import ROOT, start

BROWSERS = "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"


class App(NamedTuple):
    """A running app.py: its address, its port, the folder of its corrections, and the process."""

    address: str
    port: int
    folder: object
    process: object

    def request(self, method, path, body=None, **headers):
        """Send one request. Returns (status, body, headers)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()

    def json(self, method, path, body=None, **headers):
        """Send one request. Returns (status, what the JSON of the answer holds)."""
        status, content, _ = self.request(method, path, body, **headers)
        return status, json.loads(content)


def start_app(folder, *options, cwd=ROOT):
    """Start app.py with corrections in `folder`. Returns App."""
    process = start("app.py", "--port", "0", "--no-browser", "--data", folder, *options, cwd=cwd)
    line = process.stdout.readline()
    address = re.search(r"http://\S+", line)
    assert address, line + process.stderr.read()
    return App(address[0], urllib.parse.urlsplit(address[0]).port or 80, folder, process)


def stop_app(app):
    """End an app by Ctrl-C. Returns its exit status and what it wrote on standard error."""
    app.process.send_signal(signal.SIGINT)
    _, errors = app.process.communicate(timeout=30)
    return app.process.returncode, errors


def find_browser():
    """The path of a Chromium or Chrome of this system, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def browser_arguments():
    """Its command line: no sandbox, which the superuser cannot have, and a camera that shows a test film."""
    return ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]


@pytest.fixture(scope="session")
def app(tmp_path_factory):
    """One app.py for all tests that do not change it."""
    running = start_app(tmp_path_factory.mktemp("app") / "my_digits")
    yield running
    stop_app(running)


@pytest.fixture(scope="session")
def browser():
    """Chromium without a window; its camera shows a test film."""
    playwright = pytest.importorskip("playwright.sync_api")
    executable = find_browser()
    if executable is None:
        pytest.skip("no Chromium or Chrome was found to try the page in; install one, such as by `apt-get install chromium`")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=executable, args=browser_arguments())
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser, app):
    """A function that opens the page in a browser window of its own; at the end nothing may have gone wrong in it."""
    contexts, faults = [], []

    def open_(**options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: faults.append(request.url) if not is_own(request.url) else None)
        page.goto(app.address)
        return page

    def is_own(url):
        return url.startswith((f"{app.address}/", "data:image/", f"blob:{app.address}/"))

    yield open_
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture
def page(open_page):
    """The page in a window of 1280 x 800."""
    return open_page()
