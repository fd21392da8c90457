"""JupyterLab and marimo themselves, which are not among the extras: pip install jupyterlab marimo.

pytest -m slow tests/browser/test_notebook_apps.py
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from minigrad import viz
from minigrad.demo.circuits import sum_times

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = [
    "from minigrad import viz\nfrom minigrad.demo.circuits import sum_times\nf = sum_times()[0]\nf.backward()",
    "f",
    "viz.draw(f)",
    "viz.explore(f)",
]
MARIMO = """import marimo
app = marimo.App()

@app.cell
def _():
    from minigrad import viz
    from minigrad.demo.circuits import sum_times
    f = sum_times()[0]
    f.backward()
    return f, viz

@app.cell
def _(f):
    f
    return

@app.cell
def _(f, viz):
    viz.draw(f)
    return

@app.cell
def _(f, viz):
    viz.explore(f)
    return
"""


@contextmanager
def serving(folder, *command):
    """The address of a server that was started, with nobody's own settings."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
    own |= {"IPYTHONDIR": str(folder / "ipython"), "XDG_CONFIG_HOME": str(folder / "config")}
    own |= {"PYTHONPATH": str(Path(viz.__file__).parents[2])}
    server = subprocess.Popen(
        [sys.executable, "-m", *command, f"--port={port}"], cwd=folder, env=os.environ | own,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def opened(browser, address):
    """A window at an address, which asks for nothing elsewhere."""
    context = browser.new_context(viewport={"width": 1280, "height": 2400})
    page, requests = context.new_page(), []
    page.set_default_timeout(60_000)
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address)
    yield page
    own = (address[: address.index("/", 8)] if "/" in address[8:] else address, "data:", "blob:", "about:")
    assert [url for url in requests if not url.startswith(own)] == []
    context.close()


def step_through(page):
    """The page in the frame works, can't reach what is around it, and hides its picture."""
    frame = page.frame_locator("iframe.minigrad-page")
    frame.locator("#back").click()
    assert frame.locator("#count").inner_text() == "4 / 5"
    frame.locator("#rows input[type=range]").nth(2).fill("2.5")
    assert frame.locator("#circuit .gate .value").last.text_content() == "7.5"
    (inner,) = [frame for frame in page.frames if frame.url == "about:srcdoc"]
    assert inner.evaluate("() => { try { return parent.document.title } catch (error) { return error.name } }") == (
        "SecurityError"
    )
    assert seen(page) == [True, False]
    page.get_by_text("the picture alone").click()
    assert seen(page) == [True, True]


def seen(page):
    return page.evaluate("[...document.querySelectorAll('.minigrad-picture img')].map((x) => x.checkVisibility())")


def notebook(path, outputs):
    """A notebook's file, with these outputs of the last cells."""
    cells = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": source, "execution_count": 1, "outputs": []}
        for i, source in enumerate(CELLS)
    ]
    for cell, output in zip(cells[::-1], outputs[::-1], strict=False):
        data = output._repr_mimebundle_()
        cell["outputs"] = [{"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": data}]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))


def test_jupyterlab_executed_and_untrusted(browser, tmp_path):
    pytest.importorskip("jupyterlab")
    f, *_ = sum_times()
    f.backward()
    notebook(tmp_path / "new.ipynb", [])
    notebook(tmp_path / "another_s.ipynb", [viz.draw(f), viz.explore(f)])
    command = ["jupyterlab", "--no-browser", "--allow-root", "--ServerApp.token=", "--ServerApp.password="]
    with serving(tmp_path, *command, "--LabApp.news_url=") as address:
        with opened(browser, f"{address}/lab/tree/another_s.ipynb?reset") as page:
            page.locator(".minigrad-picture").nth(1).wait_for()
            assert page.locator(".jp-OutputArea iframe").count() == 0
            assert seen(page) == [True, True]
        with opened(browser, f"{address}/lab/tree/new.ipynb?reset") as page:
            page.locator(".jp-CodeCell").nth(3).wait_for()
            page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
            page.click('text="Run"')
            page.click('text="Run All Cells"')
            page.locator("iframe.minigrad-page").wait_for()
            assert page.locator("[data-mime-type='text/plain'] pre").inner_text().startswith("Value(")
            step_through(page)


def test_marimo(browser, tmp_path):
    pytest.importorskip("marimo")
    (tmp_path / "app.py").write_text(MARIMO)
    with (
        serving(tmp_path, "marimo", "run", "app.py", "--headless", "--no-token") as address,
        opened(browser, f"{address}/") as page,
    ):
        page.locator("iframe.minigrad-page").wait_for()
        step_through(page)
