"""safetensors files: what NumPy arrays come back as, files from elsewhere, and files that lie."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

import minigrad as mg
from minigrad import errors, nn
from minigrad.io.tensors import checksum

safetensors_numpy = pytest.importorskip("safetensors.numpy")
DTYPES = ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?", "c8")


def round_trip(path, contents):
    mg.save(path, contents)
    return mg.load(path)


def equal(a, b):
    return type(b) is np.ndarray and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


# -------------------------------------------------------------------------------------------------------- round trips
A = np.arange(24.0).reshape(2, 3, 4)
LAYOUTS = {
    "transposed": A.T, "axes": A.transpose(1, 2, 0), "sliced": A[:, 1:, ::2], "reversed": A[::-1, :, ::-1],
    "column": A[0, :, 1], "fortran": np.asfortranarray(A), "broadcast": np.broadcast_to(A[0, 0], (3, 4)),
    "0-d": np.array(2.5), "0-d of an array": A[1, 2, 3, ...], "empty": np.zeros((0, 3)), "empty inside": A[:, :0].T,
    "big-endian": A.astype(">f8"), "read-only": np.frombuffer(A.tobytes()),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_an_array_of_any_layout_comes_back_exactly(tmp_path, layout, suffix):
    x = LAYOUTS[layout]
    back = round_trip(tmp_path / f"a{suffix}", {"x": x, "beside": A})
    assert np.array_equal(back["x"], x)
    assert back["x"].shape == x.shape
    assert np.array_equal(back["beside"], A)
    assert back["x"].flags.writeable


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_of_the_format(tmp_path, dtype):
    x = np.array([[0, 1, 2], [3, 4, 5]]).astype(dtype)[:, ::2]
    assert equal(np.ascontiguousarray(x), round_trip(tmp_path / "a.safetensors", {"x": x})["x"])


def test_the_package_reads_what_we_wrote(tmp_path):
    mg.save(tmp_path / "a.safetensors", {"0.weight": A.T, "0.bias": A[0, ::-1, 1]})
    loaded = safetensors_numpy.load_file(tmp_path / "a.safetensors")
    assert equal(np.ascontiguousarray(A.T), loaded["0.weight"])
    assert equal(np.ascontiguousarray(A[0, ::-1, 1]), loaded["0.bias"])


def test_nested_contents_come_back_as_they_were(tmp_path):
    contents = {
        "model": {"0.weight": np.eye(2), "0.bias": np.zeros(2)}, "epoch": 3, "rate": 0.1, "best": None, "done": False,
        "rng": {"state": 2**127 + 12345, "inc": 3**80}, "steps": [np.ones(1), (np.ones(2), "ü", [])],
        7: {"": float("inf")}, "a/b": np.ones(1), "a": {"b": np.zeros(1)}, "z\0\n\\": np.ones(1), "z___": np.ones(2),
    }  # fmt: skip
    for name in ("a.safetensors", "a.npz"):
        back = round_trip(tmp_path / name, contents)
        assert list(back) == list(contents)
        assert repr(back) == repr(contents)


def test_a_model_continues_from_either_kind_of_file(tmp_path):
    model = nn.Sequential(nn.Conv2d(1, 2, 3, rng=0), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2, rng=0))
    x = np.linspace(-1.0, 1.0, 32).reshape(2, 1, 4, 4)
    model(x)
    for name in ("a.safetensors", "a.npz"):
        other = nn.Sequential(nn.Conv2d(1, 2, 3, rng=1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2, rng=1))
        other.load_state_dict(round_trip(tmp_path / name, model.state_dict()))
        assert np.array_equal(model.eval()(x).data, other.eval()(x).data)


def test_what_the_format_cannot_hold_is_named_and_nothing_is_written(tmp_path):
    for x in (np.array(["text"]), np.ones(2, complex), np.array(["2026-01-01"], "M8[D]"), np.ones(1, "f4,i4")):
        with pytest.raises(errors.CheckpointError, match=r"model/x is .* \.npz can"):
            mg.save(tmp_path / "a.safetensors", {"model": {"x": x}})
    assert not list(tmp_path.iterdir())


def test_a_structure_that_nobody_could_read_is_not_written(tmp_path, monkeypatch):
    mg.save(tmp_path / "a.safetensors", {"old": 1})
    monkeypatch.setattr("minigrad.io.tensors.MOST", 1000)
    with pytest.raises(errors.CheckpointError, match="put numbers in arrays"):
        mg.save(tmp_path / "a.safetensors", {"numbers": list(range(1000))})
    assert mg.load(tmp_path / "a.safetensors") == {"old": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    mg.save(tmp_path / "a.safetensors", {"x": A})
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    for call in (lambda: mg.save(tmp_path / "b.safetensors", {}), lambda: mg.load(tmp_path / "a.safetensors")):
        with pytest.raises(errors.MissingExtraError, match=r"minigrad-engine\[safetensors\]"):
            call()
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_arrays_of_any_shape_strides_and_dtype(tmp_path):
    hypothesis = pytest.importorskip("hypothesis")
    import hypothesis.extra.numpy as arrays_of
    import hypothesis.strategies as st

    @st.composite
    def views(draw):
        shape = draw(arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
        x = draw(arrays_of.arrays(draw(st.sampled_from(DTYPES)), shape))
        if draw(st.booleans()):
            x = x.astype(x.dtype.newbyteorder(">"))
        x = np.asarray(x, order=draw(st.sampled_from("CF"))).transpose(draw(st.permutations(range(x.ndim))))
        steps = [draw(st.sampled_from([slice(None), slice(None, None, -1), slice(1, None), slice(None, None, 2)]))
                 for _ in shape]  # fmt: skip
        return x[(*steps, ...)]

    @hypothesis.given(st.lists(views(), max_size=3), st.sampled_from([".npz", ".safetensors"]))
    def check(arrays, suffix):
        contents = {f"x{i}": x for i, x in enumerate(arrays)}
        back = round_trip(tmp_path / f"a{suffix}", contents)
        assert list(back) == list(contents)
        for name, x in contents.items():
            native = np.array(x, x.dtype if suffix == ".npz" else x.dtype.newbyteorder("<"), order="C")
            assert equal(native, np.array(back[name], order="C"))

    check()


# ------------------------------------------------------------------------------------------------------- from elsewhere
def header(entries, data=b""):
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(dtype, shape, start, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def test_plain_tensors_load_as_a_flat_dict(tmp_path):
    safetensors_numpy.save_file({"b": A, "a": np.arange(3)}, tmp_path / "a.safetensors", metadata={"format": "pt"})
    loaded = mg.load(tmp_path / "a.safetensors")
    assert list(loaded) == ["a", "b"]
    assert equal(A, loaded["b"])
    assert equal(np.arange(3), loaded["a"])


def test_half_precision(tmp_path):
    """float16 stays float16; bfloat16, which NumPy lacks, becomes float32: 1, -2.5, inf and the smallest above 0."""
    bits = np.array([0x3F80, 0xC020, 0x7F80, 0x0001], "<u2").tobytes()
    (tmp_path / "a.safetensors").write_bytes(header({"x": tensor("BF16", [2, 2], 0, 8)}, bits))
    x = mg.load(tmp_path / "a.safetensors")["x"]
    assert x.dtype == np.float32
    assert x.tolist() == [[1.0, -2.5], [float("inf"), 2.0**-133]]
    layer = nn.Linear(2, 2, rng=0)
    layer.load_state_dict({"weight": np.eye(2, dtype=np.float16), "bias": np.zeros(2, np.float16)})
    assert layer.weight.dtype == np.float64


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2"])
def test_numbers_that_numpy_does_not_have(tmp_path, dtype):
    (tmp_path / "a.safetensors").write_bytes(header({"x": tensor(dtype, [2], 0, 2)}, b"12"))
    with pytest.raises(errors.CheckpointError, match=f"x is {dtype}.*float32"):
        mg.load(tmp_path / "a.safetensors")


# ------------------------------------------------------------------------------------------------------------ hostile
TWO = tensor("U8", [2], 0, 2)
HOSTILE = {
    "empty": b"", "short": b"\1\0", "huge header": struct.pack("<Q", 2**62) + b"{}",
    "header beyond the end": struct.pack("<Q", 1000) + b"{}",
    "no JSON": header(b"{"), "a list": header(b"[]"), "deep": header(b'{"a":' * 100_000),
    "overlap": header({"a": TWO, "b": TWO}, b"12"),
    "half overlap": header({"a": TWO, "b": tensor("U8", [2], 1, 3)}, b"123"),
    "a hole": header({"a": TWO, "b": tensor("U8", [1], 3, 4)}, b"1234"),
    "more data": header({"a": TWO}, b"123"), "less data": header({"a": TWO}, b"1"),
    "negative": header({"a": tensor("U8", [2], -2, 0)}, b"12"),
    "backwards": header({"a": tensor("U8", [2], 2, 0)}, b"12"),
    "huge shape": header({"a": tensor("F32", [2**40, 2**40], 0, 4)}, b"1234"),
    "other shape": header({"a": tensor("F32", [2], 0, 4)}, b"1234"),
    "huge shape of nothing": header({"a": tensor("F32", [2**62, 2**62, 0], 0, 0)}),
    "a name twice": header(b'{"a":%s,"a":%s}' % ((json.dumps(TWO).encode(),) * 2), b"12"),
    "no such dtype": header({"a": tensor("PICKLE", [2], 0, 2)}, b"12"),
    "bools that are none": header({"a": tensor("BOOL", [2], 0, 2)}, b"\7\0"),
    "metadata no dict": header({"__metadata__": "x"}), "metadata no text": header({"__metadata__": {"minigrad": 3}}),
    "pickle": b"\x80\x04\x95" + bytes(30),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_file_that_lies_is_refused(tmp_path, kind):
    (tmp_path / "a.safetensors").write_bytes(HOSTILE[kind])
    with pytest.raises(errors.CheckpointError, match=r"a\.safetensors is damaged"):
        mg.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    "structure",
    [
        "{}", "[]", "3", '"text"', '{"array": "a"}', '{"dict": []}', '{"dict": [["x", {"array": "b"}]]}',
        '{"dict": [["x", {"array": "a"}], ["y", {"array": "a"}]]}', '{"dict": [["x", {"array": "a"}], ["x", 1]]}',
        '{"dict": [["x", {"array": "a"}], [["y"], 1]]}', '{"dict": [["x", {"array": "a"}], [1.5, 1]]}',
        '{"dict": [["x", [1]], ["y", {"array": "a"}]]}', '{"dict": 3}', '{"eval": "a"}',
        '{"list": [' * 50_000,
    ],
)  # fmt: skip
def test_a_structure_that_does_not_fit_the_arrays(tmp_path, structure):
    two = np.frombuffer(b"12", np.uint8).reshape(TWO["shape"])
    metadata = {"minigrad": structure, "crc32": checksum(structure, {"a": two})}
    (tmp_path / "a.safetensors").write_bytes(header({"__metadata__": metadata, "a": TWO}, b"12"))
    with pytest.raises(errors.CheckpointError, match="damaged") as caught:
        mg.load(tmp_path / "a.safetensors")
    assert "were written" not in str(caught.value)
    metadata["crc32"] = "0"
    (tmp_path / "a.safetensors").write_bytes(header({"__metadata__": metadata, "a": TWO}, b"12"))
    with pytest.raises(errors.CheckpointError, match="are not those that were written"):
        mg.load(tmp_path / "a.safetensors")


def test_a_truncated_file_is_refused_at_any_length(tmp_path):
    path = tmp_path / "a.safetensors"
    mg.save(path, {"weight": np.arange(20.0), "epoch": 3})
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(errors.CheckpointError, match="damaged"):
            mg.load(path)


def test_names_never_become_paths(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    contents = {"../../up": np.ones(1), "/etc/minigrad": np.ones(2), "..\\up": np.ones(3)}
    for name in ("a.safetensors", "a.npz"):
        assert list(round_trip(name, contents)) == list(contents)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.npz", "a.safetensors", "in"]


def test_a_flipped_bit_anywhere_is_noticed(tmp_path):
    path = tmp_path / "model.safetensors"
    contents = {"weight": np.arange(6.0).reshape(2, 3), "n": [1, np.arange(3)], "empty": np.zeros((0, 2))}
    mg.save(path, contents)
    good = path.read_bytes()
    for place in range(len(good)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        try:
            loaded = mg.load(path)
        except errors.CheckpointError:
            continue
        assert str(loaded) == str(contents)  # a space of the header's padding, say
