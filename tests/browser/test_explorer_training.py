"""A training in the page: at each update the engine's numbers, and the surface that the model makes of the plane."""

from __future__ import annotations

import numpy as np
import pytest

from minigrad import Value, nn, optim, train, viz
from minigrad.data import make_moons
from minigrad.viz.explorer.training import GRID, grid_over

pytestmark = pytest.mark.browser

NUMBERS = """app => ({
  loss: app.replay.values[app.replay.root],
  grads: app.training.data.parameters.map(([place]) => app.replay.grads[place]).map(g => Array.from(g.data ?? [g])),
})"""
SURFACE = """app => {
  let seen = null;
  const before = app.training.surface;
  app.training.surface = (out) => { seen = Array.from(out.data); };
  app.training.paint(true);
  app.training.surface = before;
  return seen;
}"""


def trained(epochs=6, outputs=1):
    X, y = make_moons(60, noise=0.1, rng=0)
    y = 2.0 * y - 1.0 if outputs == 1 else y
    loss = nn.HingeLoss() if outputs == 1 else nn.CrossEntropyLoss()
    model = nn.MLP([2, 5, outputs], activation=nn.Tanh, rng=0)
    kept = viz.Snapshots()
    sgd = optim.SGD(model.parameters(), lr=0.3)
    train.fit(model, (X, y), loss=loss, optimizer=sgd, epochs=epochs, rng=0, callbacks=[kept], progress=False)
    return model, loss, X, y, kept


@pytest.mark.parametrize("outputs", [1, 2])
def test_each_update_has_the_engine_s_numbers_and_surface(visit, outputs):
    model, loss, X, y, kept = trained(outputs=outputs)
    page = visit(viz.explore_training(kept, example=7))
    plane, _ = grid_over(X)
    for k in (0, 3, len(kept.updates) - 1):
        page.page.locator("#update").fill(str(k))
        for p, data in zip(model.parameters(), kept.parameters[k], strict=True):
            p.data, p.grad = data, None
        out = loss(model(X[7:8]), y[7:8])
        out.backward()
        have = page.state(NUMBERS)
        assert have["loss"] == pytest.approx(out.item(), rel=1e-12, abs=1e-12)
        for grad, p in zip(have["grads"], model.parameters(), strict=True):
            np.testing.assert_allclose(grad, np.ravel(p.grad), rtol=1e-12, atol=1e-12)
        surface = model(Value(plane, requires_grad=False)).data
        assert len(surface) == GRID * GRID
        np.testing.assert_allclose(page.state(SURFACE), np.ravel(surface), rtol=1e-12, atol=1e-12)
        assert f"After update {kept.updates[k]} of" in page.page.inner_text("#progress")


def test_a_slider_moves_the_surface_and_the_address_holds_the_update(visit):
    *_, kept = trained()
    circuit = viz.explore_training(kept)
    page = visit(circuit)
    before = page.state(SURFACE)
    page.page.locator("#rows input[type=range]").first.fill("1.5")
    assert page.state(SURFACE) != before
    page.page.click("#before")
    page.page.wait_for_url("**u=11*")
    assert visit(circuit, "#u=4").state("app => app.training.now") == 4
    assert visit(circuit, "#u=x").state("app => app.training.now") == len(kept.updates) - 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_a_training_is_accessible(visit, scheme, violations):
    page = visit(viz.explore_training(trained()[-1]), color_scheme=scheme, bypass_csp=True)
    assert violations(page.page) == ""


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out(visit, width):
    page = visit(viz.explore_training(trained()[-1]), viewport={"width": width, "height": 844})
    assert page.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
