"""Chromium for the tests of the explorer page: the system's, driven by Playwright.

Without either, these tests are skipped and say so; with CI=true they fail.
"""

from __future__ import annotations

import os
import shutil

import pytest

OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-sync"]


def unavailable(why):
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def browser():
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        unavailable("needs Chromium: apt-get install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        unavailable('needs Playwright: pip install "minigrad-engine[browser]"')
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def violations():
    """What axe finds wrong with the accessibility of a page: a report, or nothing."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        unavailable('needs axe: pip install "minigrad-engine[browser]"')

    def report(page):
        found = Axe().run(page)
        return found.generate_report() if found.violations_count else ""

    return report


@pytest.fixture(scope="session")
def window(browser):
    """A window that tests use one after the other, which is faster than a new one for each."""
    return browser.new_context(viewport={"width": 1280, "height": 900}).new_page()


class Visit:
    """A page that was opened, and all that it said and asked for."""

    def __init__(self, page, file):
        self.page, self.file, self.requests, self.said = page, file, [], []
        page.set_default_timeout(10_000)
        page.on("request", self.request)
        page.on("console", self.console)
        page.on("pageerror", self.error)

    def request(self, request):
        self.requests.append(request.url)

    def console(self, message):
        self.said.append(message.text)

    def error(self, error):
        self.said.append(str(error))

    def leave(self):
        """Whatever a page did, it has sent no request and said nothing on the console."""
        for event, listener in (("request", self.request), ("console", self.console), ("pageerror", self.error)):
            self.page.remove_listener(event, listener)
        assert self.said == []
        assert {url.partition("#")[0] for url in self.requests if not url.startswith("data:")} <= {self.file}

    def state(self, script="app => app", *args):
        """What a function of the explorer and these arguments returns in the page."""
        return self.page.evaluate(f"([...args]) => ({script})(window.explorer, ...args)", list(args))


@pytest.fixture
def visit(browser, window, tmp_path):
    """Open a circuit's page as a file: `visit(circuit, "#s=3", color_scheme="dark")`."""
    contexts, visits = [], []

    def open_page(circuit, address="", **context):
        path = tmp_path / f"page{len(visits)}.html"
        circuit.save(path)
        page = window
        if context:
            contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | context))
            page = contexts[-1].new_page()
        if visits and visits[-1].page is page:
            visits[-1].leave()
        visits.append(Visit(page, path.as_uri()))
        page.goto(path.as_uri() + address)
        return visits[-1]

    yield open_page
    for visit in visits:
        visit.leave()
    for context in contexts:
        context.close()
