"""Clipping of gradients, fixed and automatic: edges, stop and continue, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import DtypeError, GradientError


def with_grad(*gradients):
    values = [mg.Value(np.zeros(np.shape(g)) if np.ndim(g) else 0.0) for g in gradients]
    for v, g in zip(values, gradients, strict=True):
        v.grad = g
    return values


@pytest.mark.parametrize("size", [1e200, 1e-200, 5e-324])
def test_norms_neither_overflow_nor_vanish(size):
    norm = nn.utils.get_total_norm([np.array([3.0, 0.0]) * size, 4.0 * size])
    assert norm == pytest.approx(5.0 * size, rel=1e-15)


def test_norms_of_float32_are_computed_in_float64():
    assert nn.utils.get_total_norm([np.full(2, 3e38, np.float32)]) == pytest.approx(3e38 * 2**0.5, rel=1e-7)


@pytest.mark.parametrize("gradients", [[], [np.zeros(3)], [np.zeros((0, 2))]])
def test_no_gradients_have_norm_zero(gradients):
    ps = with_grad(*gradients)
    assert nn.utils.clip_grad_norm_(ps, 1.0) == 0.0
    if ps:
        assert optim.AutoClip()(ps) == 0.0
    assert all([not p.grad.any() for p in ps])


def test_a_gradient_keeps_its_kind_and_its_maker_keeps_the_array():
    given = np.array([30.0, 40.0], np.float32)
    a, b = mg.Value(np.zeros(2, np.float32)), mg.Value(0.0)
    a.grad, b.grad = given, 1.0
    nn.utils.clip_grad_norm_([a, b], 1.0)
    assert (a.grad.dtype, type(b.grad)) == (np.float32, float)
    assert given.tolist() == [30.0, 40.0]
    nn.utils.clip_grad_value_([a, b], 0.01)
    assert (a.grad.dtype, type(b.grad)) == (np.float32, float)
    np.testing.assert_allclose([*a.grad, b.grad], 0.01, rtol=1e-6)


@pytest.mark.parametrize("big", [4.0, np.inf])
def test_an_infinite_max_norm_only_measures(big):
    given = np.array([3.0, big])
    ps = with_grad(given)
    assert nn.utils.clip_grad_norm_(ps, float("inf")) == (5.0 if big == 4.0 else np.inf)
    assert ps[0].grad is given
    assert given.tolist() == [3.0, big]


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_error_if_nonfinite(bad):
    ps = with_grad(np.array([1.0, bad]), 2.0)
    with pytest.raises(GradientError, match=f"the gradients' norm is {bad}.*detect_anomaly"):
        nn.utils.clip_grad_norm_(ps, 1.0, error_if_nonfinite=True)
    assert (ps[0].grad[0], ps[1].grad) == (1.0, 2.0)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_autoclip_keeps_inf_and_nan_out_of_its_history(bad):
    clip, ps = optim.AutoClip(), with_grad(np.array([1.0, bad]), 2.0)
    with pytest.raises(GradientError, match=f"AutoClip: the gradients' norm is {bad}"):
        clip(ps)
    assert (clip.history, ps[1].grad) == ([], 2.0)


@pytest.mark.parametrize("ps", [[], [mg.Value(1.0), mg.Value([1.0, 2.0])]])
def test_autoclip_before_any_backward_is_refused(ps):
    clip = optim.AutoClip()
    with pytest.raises(GradientError, match=r"AutoClip: no parameter has a gradient: call it after loss.backward\(\)"):
        clip(ps)
    assert clip.history == []


@pytest.mark.parametrize("through_a_file", [False, True])
def test_a_loaded_autoclip_clips_as_the_one_that_was_saved(through_a_file, tmp_path, rng):
    norms = rng.lognormal(size=20).tolist()

    def run(clip, norms):
        out = []
        for norm in norms:
            (p,) = with_grad(norm)
            clip(p)
            out.append(p.grad)
        return out

    whole, half, other = optim.AutoClip(25), optim.AutoClip(25), optim.AutoClip(10)
    expected = run(whole, norms)
    run(half, norms[:9])
    state = half.state_dict()
    if through_a_file:
        mg.save(tmp_path / "clip.npz", {"clip": state})
        state = mg.load(tmp_path / "clip.npz")["clip"]
    other.load_state_dict(state)
    run(half, norms[9:])  # the state is a copy
    assert run(other, norms[9:]) == expected[9:]


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({"history": [1.0]}, r"a state has 'percentile' and 'history'; this one has \['history'\]"),
        ({"percentile": 101.0, "history": []}, "percentile=101.0"),
        ({"percentile": 50.0, "history": [1.0, -1.0]}, "negative, inf or nan"),
        ({"percentile": 50.0, "history": [float("nan")]}, "negative, inf or nan"),
        ({"percentile": 50.0, "history": ["1"]}, "'1' is not a number"),
        (None, "this one has NoneType"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(state, text):
    clip = optim.AutoClip(20)
    clip.history = [2.0]
    with pytest.raises((ValueError, TypeError), match=text):
        clip.load_state_dict(state)
    assert (clip.percentile, clip.history) == (20, [2.0])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda p: nn.utils.clip_grad_norm_([p], -1.0), ValueError, "clip_grad_norm_: max_norm=-1.0"),
        (lambda p: nn.utils.clip_grad_norm_([p], float("nan")), ValueError, "max_norm=nan"),
        (lambda p: nn.utils.clip_grad_norm_([p], "1"), DtypeError, "max_norm='1' is not a number"),
        (lambda p: nn.utils.clip_grad_norm_([p], 1.0, 0), ValueError, "norm_type=0; it is a number above 0"),
        (lambda p: nn.utils.clip_grad_norm_([p], 1.0, float("nan")), ValueError, "norm_type=nan"),
        (lambda p: nn.utils.clip_grad_norm_([p, 3.0], 1.0), DtypeError, "parameter 1 is float, not a Value"),
        (lambda p: nn.utils.clip_grad_norm_(nn.Linear(1, 1), 1.0), DtypeError, r"use model.parameters\(\)"),
        (lambda p: nn.utils.clip_grad_norm_(nn.Linear(1, 1).parameters, 1.0), DtypeError, r"model.parameters\(\)"),
        (lambda p: nn.utils.clip_grad_value_([p], -0.1), ValueError, "clip_grad_value_: clip_value=-0.1"),
        (lambda p: nn.utils.clip_grad_value_([p], None), DtypeError, "clip_value=None is not a number"),
        (lambda p: optim.AutoClip(101), ValueError, "percentile=101; it is between 0"),
        (lambda p: optim.AutoClip(float("nan")), ValueError, "percentile=nan"),
        (lambda p: optim.AutoClip([p]), DtypeError, "percentile=.* is not a number"),
        (lambda p: optim.AutoClip()(nn.Linear(1, 1)), DtypeError, r"AutoClip: .*model.parameters\(\)"),
        (lambda p: optim.AutoClip()(optim.SGD([p])), DtypeError, r"AutoClip: .*model.parameters\(\)"),
    ],
)
def test_what_clipping_refuses_leaves_gradients_alone(call, error, text):
    (p,) = with_grad(np.array([3.0, 4.0]))
    with pytest.raises(error, match=text):
        call(p)
    assert p.grad.tolist() == [3.0, 4.0]


def test_fit_takes_an_autoclip_as_it_is(rng):
    """`train.fit(..., clip=AutoClip())` is the loop written out, with the norms in its history."""
    X, y = rng.normal(size=(40, 3)), rng.integers(0, 2, 40)
    X[::7] *= 50.0  # batches with large gradients

    def start():
        model = nn.Linear(3, 2, rng=0)
        return model, optim.SGD(model.parameters(), lr=0.1, momentum=0.5), optim.AutoClip(25)

    model, optimizer, clip = start()
    loader = mg.data.DataLoader(X, y, batch_size=8)
    mg.train.fit(model, loader, loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=3, clip=clip)
    other, optimizer, by_hand = start()
    for _ in range(3):
        for i in range(0, 40, 8):
            optimizer.zero_grad()
            nn.functional.cross_entropy(other(X[i : i + 8]), y[i : i + 8]).backward()
            by_hand(other.parameters())
            optimizer.step()
    assert clip.history == by_hand.history
    assert len(clip.history) == 15
    assert max(clip.history) > 5.0 * clip.threshold
    np.testing.assert_array_equal(model.weight.data, other.weight.data)
