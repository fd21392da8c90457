"""Files in MNIST's and CIFAR-10's formats, written byte by byte; damaged ones are told with the byte."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from minigrad import data, errors


def idx(array, code):
    """The bytes of an IDX file, as its description says."""
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


IMAGES = np.random.default_rng(0).integers(0, 256, (3, 5, 4), dtype=np.uint8)


@pytest.fixture
def write(tmp_path):
    def write(content, name="train-images-idx3-ubyte"):
        file = tmp_path / name
        file.write_bytes(content)
        return file

    return write


# ----------------------------------------------------------------------------------------------------------------- IDX
@pytest.mark.parametrize(
    ("dtype", "code"), [(">u1", 0x08), (">i1", 0x09), (">i2", 0x0B), (">i4", 0x0C), (">f4", 0x0D), (">f8", 0x0E)]
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_idx(write, dtype, code, pack):
    array = IMAGES.astype(dtype)
    read = data.read_idx(write(pack(idx(array, code))))
    assert np.array_equal(read, array)
    assert read.dtype == np.dtype(dtype).newbyteorder("=")
    assert read.dtype.isnative
    read[0] = 0  # it is the reader's own array


def test_idx_labels(write):
    labels = np.array([5, 0, 4], np.uint8)
    assert data.read_idx(str(write(idx(labels, 8)))).tolist() == [5, 0, 4]
    assert data.read_idx(write(idx(labels[:0], 8))).shape == (0,)


WHOLE = idx(IMAGES, 8)


@pytest.mark.parametrize("n", range(len(WHOLE)))
def test_idx_cut_short_anywhere(write, n):
    with pytest.raises(errors.DataError, match=rf"idx3-ubyte, byte ({n}|0): .*({n} bytes|it begins with)"):
        data.read_idx(write(WHOLE[:n]))


@pytest.mark.parametrize("n", [*range(40), -30, -9, -8, -4, -1])
def test_gzipped_idx_cut_short(write, n):
    packed = gzip.compress(WHOLE)
    with pytest.raises(errors.DataError, match=r"damaged or cut short|ends too early|it begins with"):
        data.read_idx(write(packed[:n]))


@pytest.mark.parametrize("place", range(10, 90, 5))
def test_gzipped_idx_with_a_wrong_byte(write, place):
    packed = bytearray(gzip.compress(WHOLE))
    packed[place] ^= 0xFF
    with pytest.raises(errors.DataError):
        data.read_idx(write(bytes(packed)))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (WHOLE + b"x", r"byte 76: the file goes on after the \(3, 5, 4\) that its header promises"),
        (gzip.compress(WHOLE + b"x"), "byte 76: the file goes on"),
        (b"\x89PNG\r\n\x1a\n", "byte 0: it begins with 89 50 4e 47; an IDX file begins with 00 00"),
        (b"\0\0\x07\x01\0\0\0\1x", "byte 0: it begins with 00 00 07 01"),
        (b"\0\0\x08\x00", "byte 0: it begins with 00 00 08 00"),
        (b"\0\0\x08\x14" + 8 * b"\0", "byte 12: .*in the header, which has 20 axes"),
        (b"\0\0\x08\xff" + 255 * b"\0\0\0\1" + b"x", "byte 0: it begins with 00 00 08 ff"),  # more than NumPy has
        (bytes([0, 0, 8, 3]) + 12 * b"\xff" + b"x", "its header promises"),  # 8e28 bytes: not asked for
        (gzip.compress(bytes([0, 0, 8, 3]) + 12 * b"\xff" + b"x"), "its header promises"),
        (gzip.compress(bytes([0, 0, 8, 1]) + struct.pack(">I", 2000)), r"byte 8: .*promises \(2000,\)"),
    ],
)
def test_bad_idx_files(write, content, text):
    with pytest.raises(errors.DataError, match=text):
        data.read_idx(write(content))


def test_no_files(tmp_path, write):
    with pytest.raises(FileNotFoundError):
        data.read_idx(tmp_path / "nothing")
    with pytest.raises(errors.DataError, match="it is a folder"):
        data.read_idx(tmp_path)
    with pytest.raises(errors.DataError, match="no file; for the five"):
        data.read_cifar10()


def test_no_room(write):
    with pytest.raises(errors.DataError, match=r"an array \(3, 5, 4\) would take about 120 bytes of memory; 100 bytes"):
        data.read_idx(write(WHOLE), memory_limit=100)
    with pytest.raises(errors.DataError, match=r"would take about 6\.1 kB"):
        data.read_cifar10(write(bytes(3073)), memory_limit=100)


def test_idx_of_mnist(write):
    """The way from the files to what a model takes."""
    X = data.read_idx(write(WHOLE)) / 255.0
    y = data.read_idx(write(idx(np.array([1, 0, 1], np.uint8), 8), "train-labels-idx1-ubyte"))
    loader = data.DataLoader(X.reshape(len(X), 1, 5, 4), y, batch_size=3)
    images, labels = next(iter(loader))
    assert images.shape == (3, 1, 5, 4)
    np.testing.assert_array_equal(images[:, 0] * 255, IMAGES)
    assert labels.tolist() == [1, 0, 1]


# ------------------------------------------------------------------------------------------------------------ CIFAR-10
def records(labels, images):
    return b"".join([bytes([label]) + image.tobytes() for label, image in zip(labels, images, strict=True)])


def test_cifar10(write):
    images = np.random.default_rng(1).integers(0, 256, (5, 3, 32, 32), dtype=np.uint8)
    labels = [3, 0, 9, 9, 1]
    files = [
        write(records(labels[:2], images[:2]), "data_batch_1.bin"),
        write(records(labels[2:], images[2:]), "data_batch_2.bin"),
    ]
    X, y = data.read_cifar10(*files)
    assert np.array_equal(X, images)
    assert X.dtype == np.uint8
    assert y.tolist() == labels
    assert y.dtype == np.int64
    assert data.read_cifar10(files[0])[1].tolist() == [3, 0]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", r"byte 0: 0 bytes after image 0; an image of CIFAR-10's binary version is 3073 bytes"),
        (bytes(3072), "byte 0: 3072 bytes after image 0"),
        (bytes(3073 * 2 + 5), "byte 6146: 5 bytes after image 2.*cut short, or of another kind"),
        (bytes(3073) + bytes([10]) + bytes(3072), "byte 3073: label 10 of image 1; CIFAR-10's are 0 to 9"),
    ],
)
def test_bad_cifar10_files(write, content, text):
    good = write(bytes(3073), "good.bin")
    bad = write(content, "bad.bin")
    with pytest.raises(errors.DataError, match=rf"bad\.bin, {text}"):
        data.read_cifar10(good, bad)
