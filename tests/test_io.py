"""Checkpoints: everything comes back as it was, nothing is executed, and a file is whole or not there."""

from __future__ import annotations

import os
import pickle
import stat
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import minigrad as mg
from minigrad import errors, io, nn, optim


def same(a, b):
    if isinstance(a, np.ndarray):
        return type(b) is np.ndarray and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, dict):
        return type(b) is dict and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or a != a)


CONTENTS = {
    "arrays": {
        "float32": np.arange(6, dtype=np.float32).reshape(2, 3), "int8": np.array([-1, 2], np.int8),
        "bool": np.array([True, False]), "0-d": np.array(2.5), "empty": np.zeros((0, 3)), "text": np.array(["a", "ü"]),
        "fortran": np.asfortranarray(np.eye(3)), "nan": np.array([np.nan, -0.0, np.inf]),
        "big-endian": np.ones(2, ">f8"),
    },
    "numbers": [1, -2.5, True, None, float("inf"), float("nan"), 10**30, 0.1 + 0.2, "text", ""],
    "nested": {"a": [{"b": (np.ones(2), [np.zeros(1)])}, {}], "": {}},
    3: {0: "whole numbers as keys", -1: ()},
    "a/b": np.ones(1), "a": {"b": np.zeros(1)}, "file": np.ones(2), "x": np.ones(3), "x.npy": np.ones(4),
    "../up": np.ones(1), "minigrad.json": np.ones(2), "quote's": np.ones(1),
}  # fmt: skip


def test_everything_comes_back_as_it_was(tmp_path):
    io.save(tmp_path / "a.npz", CONTENTS)
    assert same(CONTENTS, io.load(tmp_path / "a.npz"))


def test_numpy_numbers_come_back_as_numbers(tmp_path):
    io.save(tmp_path / "a.npz", {"n": np.int64(3), "x": np.float64(0.5), "b": np.bool_(True)})
    assert same({"n": 3, "x": 0.5, "b": True}, io.load(tmp_path / "a.npz"))


def test_numpy_can_read_the_arrays(tmp_path):
    io.save(tmp_path / "a.npz", {"model": {"0.weight": np.eye(2)}})
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert np.array_equal(file["model/0.weight"], np.eye(2))


def test_the_same_contents_make_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        io.save(tmp_path / name, CONTENTS)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_training_run_continues_bit_for_bit(tmp_path):
    X = np.linspace(-1.0, 1.0, 12).reshape(4, 3)

    def start():
        model = nn.MLP([3, 5, 2], rng=0)
        return model, optim.Adam(model.parameters(), lr=0.05)

    def train(model, optimizer, updates):
        for _ in range(updates):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(X), [0, 1, 1, 0]).backward()
            optimizer.step()

    whole = start()
    train(*whole, 7)
    half = start()
    train(*half, 3)
    mg.save(tmp_path / "run.npz", {"model": half[0].state_dict(), "optimizer": half[1].state_dict()})
    model, optimizer = start()
    state = mg.load(tmp_path / "run.npz")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    train(model, optimizer, 4)
    for name, array in whole[0].state_dict().items():
        assert np.array_equal(array, model.state_dict()[name]), name


# -------------------------------------------------------------------------------------------------- what is not saved
@pytest.mark.parametrize(
    ("contents", "text"),
    [
        ([1, 2], "a list is not a dict"),
        (nn.Linear(1, 1), r"pass model\.state_dict\(\)"),
        ({"model": nn.Linear(1, 1)}, r"model is a Linear.*state_dict"),
        ({"a": [mg.Value(1.0)]}, r"a/0 is a Value.*\.data"),
        ({"a": np.array([None])}, "a is a ndarray"),
        ({"a": np.ma.masked_array([1.0], [True])}, "a is a MaskedArray"),
        ({"a": {(1, 2): 3}}, r"a has the key \(1, 2\)"),
        ({"f": len}, "f is a builtin_function_or_method"),
        ({"c": 1j}, "c is a complex"),
    ],
)
def test_what_a_checkpoint_does_not_hold(tmp_path, contents, text):
    (tmp_path / "a.npz").write_bytes(b"as it was")
    with pytest.raises(errors.CheckpointError, match=text):
        io.save(tmp_path / "a.npz", contents)
    assert (tmp_path / "a.npz").read_bytes() == b"as it was"
    assert os.listdir(tmp_path) == ["a.npz"]


@pytest.mark.parametrize("name", ["a.pt", "a", "a.npz.bak"])
def test_other_suffixes(tmp_path, name):
    with pytest.raises(errors.CheckpointError, match=r"ends in \.npz or \.safetensors"):
        io.save(tmp_path / name, {})
    with pytest.raises(errors.CheckpointError, match=r"ends in \.npz or \.safetensors"):
        io.load(tmp_path / name)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder: '.*runs'$"):
        io.save(tmp_path / "runs" / "a.npz", {})


# ------------------------------------------------------------------------------------------------------ damaged files
def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        io.load(tmp_path / "a.npz")


def test_a_truncated_file_is_refused_at_any_length(tmp_path):
    path = tmp_path / "a.npz"
    io.save(path, {"weight": np.arange(20.0), "epoch": 3})
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(errors.CheckpointError, match=r"a\.npz is damaged"):
            io.load(path)


def test_a_flipped_bit_in_the_numbers_is_noticed(tmp_path):
    path = tmp_path / "a.npz"
    io.save(path, {"weight": np.arange(20.0)})
    bytes_ = bytearray(path.read_bytes())
    where = bytes(bytes_).index(np.arange(20.0).tobytes()) + 83
    bytes_[where] ^= 1
    path.write_bytes(bytes_)
    with pytest.raises(errors.CheckpointError, match="CRC"):
        io.load(path)


class Bomb:
    """Unpickling it would leave a mark."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


def bomb_file(path, kind):
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Bomb()))
    elif kind == "object array":
        np.savez(path, a=np.array([Bomb()], dtype=object))
    else:  # a structure like ours that names an object array
        np.savez(path, a=np.array([Bomb()], dtype=object))
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("minigrad.json", '{"dict": [["a", {"array": "a"}]]}')


@pytest.mark.parametrize("kind", ["pickle", "object array", "forged"])
def test_nothing_is_unpickled(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    bomb_file(tmp_path / "a.npz", kind)
    with pytest.raises(errors.CheckpointError, match="never unpickles"):
        io.load(tmp_path / "a.npz")
    assert not (tmp_path / "unpickled").exists()


def test_a_plain_npz_is_told_apart(tmp_path):
    np.savez(tmp_path / "a.npz", weight=np.ones(2))
    with pytest.raises(errors.CheckpointError, match=r"np\.load"):
        io.load(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "structure",
    ['{"dict": [["a", {"array": "missing"}]]}', '{"set": []}', '{"list": [], "dict": []}', '{"array": 3}', "{"],
)
def test_a_forged_structure(tmp_path, structure):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("minigrad.json", structure)
    with pytest.raises(errors.CheckpointError):
        io.load(tmp_path / "a.npz")


def test_a_compressed_bomb_is_not_inflated(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("minigrad.json", '{"dict": [["a", {"array": "a"}]]}')
        archive.writestr("a.npy", b"\0" * 1_000_000)
    with pytest.raises(errors.CheckpointError, match="compressed"):
        io.load(tmp_path / "a.npz")


# ------------------------------------------------------------------------------------------------------ all or nothing
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_and_fail():
        with io.atomic_write(path) as file:
            file.write(b"half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_the_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "a.txt"
    with io.atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == b"new"


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and links")
def test_permissions_follow_the_umask_and_a_link_stays_a_link(tmp_path):
    before = os.umask(0o027)
    try:
        io.save(tmp_path / "a.npz", {})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.npz").stat().st_mode) == 0o640
    (tmp_path / "link.npz").symlink_to("a.npz")
    io.save(tmp_path / "link.npz", {"new": 1})
    assert (tmp_path / "link.npz").is_symlink()
    assert io.load(tmp_path / "a.npz") == {"new": 1}


# ------------------------------------------------------------------------------------------- hostile archives and disks
def archive_of(path, entries, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries:
            archive.writestr(name, data)


def npy(header, data=b""):
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


ONE = ("minigrad.json", '{"dict": [["a", {"array": "a"}]]}')
FLOATS = "{'descr': '<f8', 'fortran_order': False, 'shape': %s, }"
LIES = {
    "huge shape": npy(FLOATS % "(1000000000000,)", bytes(8)), "negative shape": npy(FLOATS % "(-1,)", bytes(8)),
    "many axes": npy(FLOATS % f"({'1, ' * 80})", bytes(8)), "too few numbers": npy(FLOATS % "(3,)", bytes(8)),
    "too many numbers": npy(FLOATS % "(1,)", bytes(80)), "code": npy("__import__('os').mkdir('made')", bytes(8)),
    "deep header": npy("(" * 5000), "objects": npy(FLOATS.replace("<f8", "|O") % "(1,)", pickle.dumps(Bomb())),
    "no array": b"text", "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("kind", LIES)
def test_an_array_that_lies_is_refused(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    archive_of("a.npz", [ONE, ("a.npy", LIES[kind])])
    with pytest.raises(errors.CheckpointError, match="damaged"):
        io.load("a.npz")
    assert os.listdir() == ["a.npz"]


def test_a_structure_is_not_inflated_either(tmp_path):
    archive_of(tmp_path / "a.npz", [("minigrad.json", " " * 10_000_000 + '{"dict": []}')], zipfile.ZIP_DEFLATED)
    with pytest.raises(errors.CheckpointError, match="compressed"):
        io.load(tmp_path / "a.npz")


def test_one_array_is_not_loaded_a_million_times(tmp_path):
    mg.save(tmp_path / "a.npz", {"a": np.zeros(3)})
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        array = archive.read("a.npy")
    many = '{"dict": [["a", {"list": [' + ", ".join(['{"array": "a"}'] * 1000) + "]}]]}"
    archive_of(tmp_path / "a.npz", [("minigrad.json", many), ("a.npy", array)])
    with pytest.raises(errors.CheckpointError, match="damaged"):
        io.load(tmp_path / "a.npz")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["a.npy", "minigrad.json", "more.npy"])
def test_entries_twice_or_unnamed(tmp_path, name):
    mg.save(tmp_path / "a.npz", {"a": np.zeros(3)})
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr(name, archive.read("a.npy" if name != "minigrad.json" else name))
    with pytest.raises(errors.CheckpointError, match="twice" if name != "more.npy" else "doesn't name 'more'"):
        io.load(tmp_path / "a.npz")


@pytest.mark.parametrize("structure", ['{"list": [' * 100_000, "[" * 100_000, '{"dict": [["a", ' * 3000])
def test_deep_json(tmp_path, structure):
    archive_of(tmp_path / "a.npz", [("minigrad.json", structure)])
    with pytest.raises(errors.CheckpointError, match="damaged"):
        io.load(tmp_path / "a.npz")


def test_what_is_too_deep_or_too_long_to_save(tmp_path):
    loop: dict = {}
    loop["self"] = loop
    for contents, text in ((loop, "contains itself"), ({"n": 10**5000}, "digits")):
        with pytest.raises(errors.CheckpointError, match=text):
            io.save(tmp_path / "a.npz", contents)
    assert not list(tmp_path.iterdir())


def test_random_states_and_odd_keys_come_back(tmp_path):
    state = np.random.default_rng(7).bit_generator.state
    other = np.random.MT19937(7).state
    contents = {"pcg": state, "mt": other, "a\0b": np.ones(1), "a_b": np.ones(2), "\ud800": np.ones(3)}
    contents["k" * 70_000] = np.ones(4)
    io.save(tmp_path / "a.npz", contents)
    back = io.load(tmp_path / "a.npz")
    assert same(contents, back)
    rng = np.random.default_rng()
    rng.bit_generator.state = back["pcg"]
    assert rng.random() == np.random.default_rng(7).random()


def test_permissions_of_a_file_that_is_replaced_are_kept(tmp_path):
    io.save(tmp_path / "a.npz", {})
    for mode in (0o600, 0o444):
        (tmp_path / "a.npz").chmod(mode)
        io.save(tmp_path / "a.npz", {"mode": mode})
        assert stat.S_IMODE((tmp_path / "a.npz").stat().st_mode) == mode
    assert io.load(tmp_path / "a.npz") == {"mode": 0o444}


def test_a_folder_in_the_place_of_the_file(tmp_path):
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(IsADirectoryError, match=r"a folder of this name: '.*a\.npz'"):
        io.save(tmp_path / "a.npz", {})
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


FULL = """
import resource, sys
import numpy as np
import minigrad as mg
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    mg.save(sys.argv[1], {"x": np.zeros(100_000)})
except OSError as error:
    print(error)
"""
READ_ONLY = """
import os, sys
import minigrad as mg
if sys.argv[1].endswith(".safetensors"):
    import safetensors.numpy
if os.geteuid() == 0:  # whom no permission stops
    os.setuid(65534)
try:
    mg.save(sys.argv[1], {"x": 1})
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits and permissions")
@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize(("script", "text"), [(FULL, "File too large"), (READ_ONLY, "Permission denied")])
def test_a_full_disk_or_read_only_folder_leaves_the_old_file(tmp_path, script, text, suffix):
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    path = tmp_path / "runs" / f"a{suffix}"
    path.parent.mkdir()
    io.save(path, {"old": np.ones(3)})
    before = path.read_bytes()
    if script is READ_ONLY:
        path.parent.chmod(0o555)
        for folder in path.parents:  # pytest's folders are closed to others
            if not folder.stat().st_mode & 1 and folder.stat().st_uid == os.geteuid():
                folder.chmod(folder.stat().st_mode | 0o011)
    command = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    path.parent.chmod(0o755)
    assert text in done.stdout, done.stderr
    assert f"'{path}'" in done.stdout
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("failing", ["minigrad.io.atomic.open", "os.replace"])
def test_where_a_file_cannot_be_written_its_name_is_told_and_no_other(tmp_path, monkeypatch, failing):
    def refuse(draft, other):
        move = [None, os.fspath(other)] if failing == "os.replace" else []
        raise PermissionError(13, "Permission denied", os.fspath(draft), *move)

    monkeypatch.setattr(failing, refuse, raising=False)
    with pytest.raises(PermissionError) as caught:
        mg.save(tmp_path / "a.npz", {})
    assert str(caught.value) == f"[Errno 13] Permission denied: {str(tmp_path / 'a.npz')!r}"
