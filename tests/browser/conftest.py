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


class Visit:
    """A page that was opened, and all that it said and asked for."""

    def __init__(self, page):
        self.page, self.requests, self.said = page, [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def state(self, script="app => app", *args):
        return self.page.evaluate(f"([...args]) => ({script})(window.explorer, ...args)", list(args))


@pytest.fixture
def visit(browser, tmp_path):
    """Open a circuit's page as a file.  Whatever it does, it sends no request and says nothing on the console."""
    contexts, visits = [], []

    def open_page(circuit, address="", **context):
        path = tmp_path / f"page{len(visits)}.html"
        circuit.save(path)
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | context))
        visit = Visit(contexts[-1].new_page())
        visits.append(visit)
        visit.page.goto(path.as_uri() + address)
        visit.file = path.as_uri()
        return visit

    yield open_page
    for visit in visits:
        assert visit.said == []
        assert {url.partition("#")[0] for url in visit.requests if not url.startswith("data:")} <= {visit.file}
    for context in contexts:
        context.close()
