"""The HTML that notebooks show, in a page that treats it as JupyterLab does: all of it, or sanitised without trust."""

from __future__ import annotations

import pytest

from minigrad import Value, viz
from minigrad.demo.circuits import sum_times

from .test_explorer_page import HOSTILE, hostile

pytestmark = pytest.mark.browser

# JupyterLab sets innerHTML and runs the scripts in it.  Of an output without trust it first takes away what isn't in
# its lists of elements and attributes (packages/apputils/src/sanitizer.ts).
SHOW = """([outputs, trusted]) => {
  const refused = "script, style, iframe, object, embed, svg, link, meta";
  const kept = ["class", "style", "title", "alt", "src", "width", "height", "open"];
  window.secret = "the notebook's";
  for (const output of outputs) {
    const inert = new DOMParser().parseFromString(output, "text/html");
    if (!trusted) {
      inert.querySelectorAll(refused).forEach((element) => element.remove());
      for (const element of inert.querySelectorAll("*")) {
        for (const { name } of [...element.attributes]) if (!kept.includes(name)) element.removeAttribute(name);
      }
    }
    const cell = document.createElement("div");
    cell.className = "output";
    cell.innerHTML = inert.head.innerHTML + inert.body.innerHTML;
    document.body.append(cell);
    for (const script of cell.querySelectorAll("script")) {
      script.replaceWith(Object.assign(document.createElement("script"), { textContent: script.textContent }));
    }
  }
}"""


@pytest.fixture
def notebook(browser):
    """Show outputs in a page of their own: `notebook(viz.explore(f), trusted=False)`."""
    contexts = []

    def show(*outputs, trusted=True, **context):
        contexts.append(browser.new_context(viewport={"width": 900, "height": 1000}, **context))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.said, page.requests = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.set_content("<!doctype html><title>A notebook</title>")
        page.evaluate(SHOW, [[output._repr_mimebundle_()["text/html"] for output in outputs], trusted])
        return page

    yield show
    for context in contexts:
        for page in context.pages:
            assert page.said == []
            assert [url for url in page.requests if not url.startswith(("data:", "about:"))] == []
        context.close()


def frame_of(page, k=0):
    page.frame_locator("iframe.minigrad-page").nth(k).locator("#count").wait_for()
    return page.frame_locator("iframe.minigrad-page").nth(k)


def frames(page):
    return [frame for frame in page.frames if frame is not page.main_frame]


def images(page):
    """Of each picture: whether it is seen, and the width that it was drawn with."""
    page.wait_for_function("[...document.images].every((image) => image.complete)")
    return page.evaluate("[...document.images].map((image) => [image.checkVisibility(), image.naturalWidth])")


def test_a_page_runs_in_its_frame(notebook):
    page = notebook(viz.explore(sum_times()[0]))
    frame = frame_of(page)
    assert frame.locator("#count").inner_text() == "5 / 5"
    frame.locator("#back").click()
    assert "∂f/∂q += ∂f/∂f × ∂f/∂q = 1 × (−4) = −4" in frame.locator("#said").inner_text()
    frame.locator("#rows input[type=range]").nth(2).fill("2.5")
    assert frame.locator("#circuit .gate .value").last.text_content() == "7.5"
    frame.locator("#stage").focus()
    page.keyboard.press("Home")
    assert frame.locator("#count").inner_text() == "0 / 5"


def test_the_quiz_works_in_a_frame_that_allows_no_forms(notebook):
    frame = frame_of(notebook(viz.explore(sum_times()[0])))
    for check in (lambda: frame.locator("#answer").press("Enter"), lambda: frame.locator("#check").click()):
        frame.locator("#ask").click()
        frame.locator("#answer").fill("12345")
        check()
        assert "Not yet" in frame.locator("#result").inner_text()


def test_a_frame_does_not_offer_what_it_can_not_do(notebook):
    frame = frame_of(notebook(viz.explore(sum_times()[0])))
    assert not frame.locator("#link").is_visible()
    assert not frame.locator("#print").is_visible()


def test_the_notebook_is_out_of_a_page_s_reach(notebook):
    page = notebook(viz.explore(sum_times()[0]))
    frame_of(page)
    (frame,) = frames(page)
    for reach in ("parent.secret", "parent.document.body", "top.location.href", "localStorage", "document.cookie"):
        script = f"() => {{ try {{ {reach}; return 'reached'; }} catch (error) {{ return error.name; }} }}"
        assert frame.evaluate(script) == "SecurityError"


def test_a_frame_shows_circuit_explanation_and_steps_without_scrolling(notebook):
    page = notebook(viz.explore(sum_times()[0]))
    frame = frame_of(page)
    bottom = page.locator("iframe").bounding_box()["y"] + page.locator("iframe").bounding_box()["height"]
    for part in ("#stage", "#heading", "#next", "#step"):
        box = frame.locator(part).bounding_box()
        assert box["y"] + box["height"] <= bottom
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_picture_of_a_page_waits_until_it_is_asked_for(notebook):
    page = notebook(viz.explore(sum_times()[0]))
    frame_of(page)
    assert [seen for seen, _ in images(page)] == [False]
    page.click("summary")
    assert [seen for seen, _ in images(page)] == [True]


def test_without_trust_the_pictures_are_seen(notebook):
    f, *_ = sum_times()
    f.backward()
    page = notebook(viz.draw(f), viz.explore(f), trusted=False)
    assert page.locator("iframe").count() == 0
    seen = images(page)
    assert [visible for visible, _ in seen] == [True, True]
    assert all(width > 300 for _, width in seen)


def test_two_pages_and_two_drawings_stay_apart(notebook):
    a, b = Value(2.0, label="a"), Value(7.0, label="b")
    page = notebook(viz.explore(a * a), viz.explore(b * b), viz.draw(a * a), viz.draw(b * b))
    one, two = frame_of(page), frame_of(page, 1)
    two.locator("#first").click()
    assert one.locator("#count").inner_text() == "3 / 3"
    one.locator("#rows input[type=range]").first.fill("3")
    assert one.locator("#circuit .gate .value").last.text_content() == "9"
    two.locator("#end").click()
    assert two.locator("#circuit .gate .value").last.text_content() == "49"
    assert page.evaluate("document.querySelectorAll('[id]').length") == 0


@pytest.mark.parametrize("trusted", [True, False])
def test_hostile_labels_run_nothing_in_a_notebook(notebook, trusted):
    page = notebook(hostile(), *[viz.draw(named(label)) for label in HOSTILE], trusted=trusted)
    if trusted:
        frame = frame_of(page)
        frame.locator("#table summary").click()
        frame.locator("#back").click()
        frame.locator("#ask").click()
        assert HOSTILE[0] in frame.locator("body").inner_text()  # shown as what they are
    assert len(images(page)) == 1 + len(HOSTILE)
    assert all(width > 0 for _, width in images(page))
    assert [frame.evaluate("window.__pwn") for frame in page.frames] == [None] * len(page.frames)


def named(label):
    x = Value(3.0, label=label)
    return x * x


def test_a_page_further_down_is_as_large_as_one_in_sight(notebook):
    """Frames out of sight have no width while they load; they get it when they are scrolled to."""
    page = notebook(*[viz.explore(sum_times()[0]) for _ in range(3)])
    for k in range(3):
        frame_of(page, k)
        page.locator("iframe").nth(k).scroll_into_view_if_needed()
        for _ in range(50):
            if (zoom := frames(page)[k].evaluate("window.explorer.drawing.zoom")) > 1.2:
                break
            page.wait_for_timeout(100)
        assert zoom > 1.2
