"""CSV files: what is read, against pandas and by writing and reading back; and every way in which a file can be bad."""

from __future__ import annotations

import csv
import io
import sys

import numpy as np
import pytest

from minigrad import data, errors
from minigrad.data import memory

FLOWERS = "length,width,species\n5.1,3.5,setosa\n4.9,3.0,setosa\n6.3,2.5,virginica\n5.9,3.0,virginica\n"


@pytest.fixture
def read(tmp_path):
    """`read(text, ...)`: what `read_csv` makes of a file with this text, or with these bytes."""

    def read(content, *args, **options):
        file = tmp_path / "flowers.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return data.read_csv(file, *args, **options)

    return read


# -------------------------------------------------------------------------------------------------------- what is read
def check_flowers(table):
    assert table.X.tolist() == [[5.1, 3.5], [4.9, 3.0], [6.3, 2.5], [5.9, 3.0]]
    assert table.X.dtype == np.float64
    assert table.y.tolist() == [0, 0, 1, 1]
    assert table.y.dtype == np.int64
    assert table.class_names == ("setosa", "virginica")
    assert table.task == "classification"
    assert len(table.lines) == 4


def test_a_table(read):
    table = read(FLOWERS)
    check_flowers(table)
    assert table.feature_names == ("length", "width")
    assert table.target == "species"
    assert repr(table) == "Table(4 rows, 2 features; classification: 'species' of 2 classes)"
    table.X[0] = 0.0  # it is the reader's own array


@pytest.mark.parametrize(
    "content",
    [
        FLOWERS.replace("\n", "\r\n"),
        FLOWERS.replace("\n", "\r"),
        FLOWERS.removesuffix("\n"),
        "\n\n" + FLOWERS.replace("\n", "\n\n") + "  \n",
        FLOWERS.replace(",", ";"),
        FLOWERS.replace(",", "\t"),
        FLOWERS.replace(",", "|"),
        FLOWERS.replace(",", " ,  "),
        b"\xef\xbb\xbf" + FLOWERS.encode(),
        "".join([",".join([f'"{field}"' for field in line.split(",")]) + "\n" for line in FLOWERS.splitlines()]),
        FLOWERS.replace("length", '"a length; in cm; of course; really"').replace("width", '"the\nwidth"'),
    ],
    ids=["CRLF", "CR", "no last line end", "empty lines", "semicolons", "tabs", "bars", "blanks", "BOM", "quotes",
         "quoted delimiters"],
)  # fmt: skip
def test_kinds_of_files(read, content):
    check_flowers(read(content))


def test_a_delimiter_of_ones_own(read):
    check_flowers(read(FLOWERS.replace(",", "   "), delimiter=" "))
    check_flowers(read(FLOWERS.replace(",", "~"), delimiter="~"))


def test_without_names(read):
    table = read(FLOWERS.partition("\n")[2])
    check_flowers(table)
    assert (table.feature_names, table.target) == (("column 1", "column 2"), "column 3")
    assert read("1,2,0\n3,4,1\n", target="column 1").y.tolist() == [0, 1]


def test_names_that_are_numbers(read):
    """pandas writes 0, 1, 2, ... where it has no names: taken as data, they would be a row too many."""
    table = read("0,1,2\n5.5,3.5,0\n6.5,2.5,1\n")
    assert (table.feature_names, len(table.X)) == (("0", "1"), 2)
    years = "2019,2020,grows\n5.5,3.5,0\n6.5,2.5,1\n"
    assert read(years, header=True).feature_names == ("2019", "2020")
    assert len(read("0,1,2\n5.5,3.5,0\n6.5,2.5,1\n", header=False).X) == 3


def test_which_column_is_the_target(read):
    text = "Label,a,b\n1,2.5,3.5\n0,4.5,5.5\n"
    assert read(text).target == "Label"
    assert read(text, "b").X.tolist() == [[1.0, 2.5], [0.0, 4.5]]
    assert read(text.replace("Label", "c")).target == "b"


def test_columns_to_leave_out(read):
    text = "id,name,x,y\n1,Ann,0.5,0\n2,Bob,1.5,1\n"
    table = read(text, ignore=["id", "name"])
    assert (table.X.tolist(), table.feature_names) == ([[0.5], [1.5]], ("x",))
    assert read(text, ignore=("name", "y")).target == "x"


@pytest.mark.parametrize(
    ("labels", "options", "y", "class_names"),
    [
        (["b", "a", "b"], {}, [1, 0, 1], ("a", "b")),
        (["10", "9", "10"], {}, [1, 0, 1], ("9", "10")),  # in the order of numbers
        (["-1", "1", "1"], {}, [0, 1, 1], ("-1", "1")),
        (["1.0", "2", "1"], {}, [0, 1, 0], ("1", "2")),
        (["1.5", "2.5", "1.5"], {}, [1.5, 2.5, 1.5], ()),
        (["1.5", "2.5", "1.5"], {"task": "classification"}, [0, 1, 0], ("1.5", "2.5")),
        (["1", "2", "3"], {"task": "regression"}, [1.0, 2.0, 3.0], ()),
        (["1", "x", "1"], {"task": "classification"}, [0, 1, 0], ("1", "x")),
        (["True", "False", "True"], {}, [1, 0, 1], ("False", "True")),
        (["no, really", "é", "no, really"], {}, [0, 1, 0], ("no, really", "é")),
        ([str(i) for i in range(20)], {}, list(range(20)), tuple([str(i) for i in range(20)])),
        ([str(i) for i in range(21)], {}, [float(i) for i in range(21)], ()),
    ],
)
def test_classes_or_quantities(read, labels, options, y, class_names):
    rows = "".join([f'{i}.5,"{label}"\n' for i, label in enumerate(labels)])
    table = read("x,what\n" + rows, **options)
    assert table.y.tolist() == y
    assert table.class_names == class_names
    assert table.task == ("classification" if class_names else "regression")
    assert table.y.dtype == (np.int64 if class_names else np.float64)
    if not class_names:
        assert repr(table) == f"Table({len(labels)} rows, 1 features; regression: 'what')"


def test_against_pandas(tmp_path):
    pandas = pytest.importorskip("pandas")
    sets = pytest.importorskip("sklearn.datasets")
    for name, scaled in (("load_iris", {}), ("load_wine", {}), ("load_diabetes", {}), ("load_breast_cancer", {})):
        frame = getattr(sets, name)(as_frame=True, **scaled).frame
        frame.to_csv(tmp_path / "table.csv", index=False)
        ours, theirs = data.read_csv(tmp_path / "table.csv"), pandas.read_csv(tmp_path / "table.csv")
        np.testing.assert_allclose(ours.X, theirs.drop(columns="target").to_numpy(), rtol=1e-15)
        assert np.array_equal(ours.y, theirs["target"].to_numpy())
        assert (*ours.feature_names, ours.target) == tuple(theirs.columns)
        assert ours.task == ("regression" if name == "load_diabetes" else "classification")


def test_what_is_written_is_read(tmp_path):
    hypothesis = pytest.importorskip("hypothesis")
    st = hypothesis.strategies
    number = st.floats(allow_nan=False, allow_infinity=False)
    word = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8).map(
        lambda text: "x" + text.strip()  # no number, not missing; blanks around it are not kept
    ).filter(lambda text: text == text.strip())  # fmt: skip
    file = tmp_path / "table.csv"

    @hypothesis.given(
        names=st.lists(word, min_size=2, max_size=5, unique=True),
        rows=st.integers(2, 6),
        classes=st.lists(word, min_size=2, max_size=4, unique=True),
        delimiter=st.sampled_from(",;\t|"),
        quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
        end=st.sampled_from(["\n", "\r\n", "\r"]),
        draw=st.data(),
    )
    def check(names, rows, classes, delimiter, quoting, end, draw):
        d = len(names) - 1
        X = [[draw.draw(number) for _ in range(d)] for _ in range(rows)]
        labels = classes[:2] + [draw.draw(st.sampled_from(classes)) for _ in range(rows - 2)]
        text = io.StringIO()
        writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=end)
        writer.writerows([names, *[[*x, label] for x, label in zip(X, labels, strict=True)]])
        file.write_bytes(text.getvalue().encode())
        table = data.read_csv(file, target=names[-1], delimiter=delimiter)
        assert table.X.tolist() == X
        assert [table.class_names[i] for i in table.y] == labels
        assert (*table.feature_names, table.target) == tuple(names)

    check()


# ----------------------------------------------------------------------------------------------------------- bad files
@pytest.mark.parametrize(
    ("content", "options", "text"),
    [
        ("", {}, r"flowers\.csv, line 1: the file is empty"),
        ("\n \r\n\n", {}, "line 1: the file is empty"),
        ("\ufeff", {}, "line 1: the file is empty"),
        ('""\n  ""\n', {}, "line 1: the file is empty"),
        ("a,b,c\n", {}, "line 1: names of 3 columns, and no row after them"),
        ("\n\na,b,c\n\n", {}, "line 3: names of 3 columns, and no row"),
        ("a\n1\n2\n", {}, r"line 1: 1 column\(s\), of which none is left as a feature.*delimiter="),
        ("a,b\n1,0\n2,1\n", {"ignore": ["a"]}, "of which none is left as a feature"),
        # a line before the names
        ("sep=,\na,b\n1,0\n2,1\n", {}, r"line 1: 'sep=' is a note for Excel, no name; delete this line\."),
        ('\n"sep=;"\na;b\n1;0\n2;1\n', {}, "line 2: 'sep=;' is a note for Excel"),
        ("sep=\t\na\tb\n1\t0\n2\t1\n", {}, "line 1: 'sep=' is a note"),
        ("Prices\na,b\n1,0\n2,1\n", {}, r"line 1: 1 column.* If line 1 is a title, delete it\."),
        ("Prices,,\na,b,c\n1,2,0\n2,1,1\n", {}, r"line 1, column 2: it has no name.* If the line is a title, delete"),
        ("Prices, Sheet\na,b,c\n1,2,0\n", {}, r"line 2, column 3: the row is longer.* If line 1 is a title, delete"),
        ("a,b,c\n1,2,0\n3,4\n", {}, "2 fields, not 3\\.$"),  # a line in the middle says nothing of the first
        # ragged rows
        ("a,b,c\n1,2,0\n3,4\n", {}, r"line 3, column 3 \('c'\): the row is shorter than the first: 2 fields, not 3"),
        ("a,b,c\n1,2,0\n3,4,5,1\n", {}, r"line 3, column 4: the row is longer than the first: 4 fields, not 3"),
        ('a,b,c\n1,2,"x\ny"\n\n3,4\n', {}, r"line 5, column 3 \('c'\)"),  # a field of two lines, an empty line
        # missing values
        ("a,b,c\n1,2,0\n3,,1\n", {}, r"line 3, column 2 \('b'\): a value is missing \(''\); fill it in"),
        ("a,b,c\n1,?,0\n3,4,1\n", {}, r"line 2, column 2 \('b'\): a value is missing \('\?'\)"),
        ("a,b,c\n1,2,0\n3,NaN,1\n", {}, r"line 3, column 2 \('b'\): a value is missing \('NaN'\)"),
        ("a,b,c\n1,2,\n3,4,1\n", {}, r"line 2, column 3 \('c'\): the target is missing"),
        ("a,b,c\n1,2,0\n3,4,nan\n", {}, r"line 3, column 3 \('c'\): the target is missing \('nan'\)"),
        ("a,b,c\n1,2,0\n3,4,1\n,,\n", {}, r"line 4, column 1 \('a'\): a value is missing"),
        ("1,2,0\n3,,1\n", {}, "line 2, column 2: a value is missing"),
        # text among numbers
        ("a,b,c\n1,2,0\n3,four,1\n", {}, r"line 3, column 2 \('b'\): 'four' is no number; correct it"),
        ("a,b,c\n1,red,0\n3,red,1\n", {}, r"line 2, column 2 \('b'\): 'red' is no number; if it is what to predict, "
         r"target='b'; to leave the column out, ignore=\['b'\]; for categories, make a column of 0 and 1"),
        ("age,2020,out\n1,2,0\n3,4,1\n", {}, "line 1, column 1: 'age' is no number; if the line has the names"),
        ("a;b;c\n1,5;2;0\n2,5;2;1\n", {}, r"line 2, column 1 \('a'\): '1,5' is no number; a decimal comma\?"),
        ("1;2;3\n4;5;6\n", {"delimiter": ","}, "1 column"),
        ("a,b\n1;2,3;4\n4;5,5;6\n", {}, "line 2, column 1 .*'1;2' is no number; is another character between"),
        ("a,b\n1_000,0\n2,1\n", {}, "'1_000' is no number"),
        ("a,b\n0x10,0\n2,1\n", {}, "'0x10' is no number"),
        ('a,b\n"1,234",0\n2,1\n', {}, "'1,234' is no number; a decimal comma. Or one between thousands"),
        *[(f'a,b\n"{text}",0\n2,1\n', {}, "is no number; save the file with numbers like 1234.5, without units")
          for text in ("12%", "$5", "1.234,56", "1,234,567.5", "1 000", "3 km", "\u22121")],
        *[(f'a,b\n{text},0\n2,1\n', {}, f"{text}' is no number; if it is what to predict")
          for text in ("2020-01-01", "12:30", "A1", "True")],
        # names or numbers: the first line of these has both
        ("2019,2020,label\n1,2,a\n3,4,b\n5,6,a\n7,8,b\n", {}, "line 1, column 3: 'label' is in no other row: .*"),
        ("2019,2020,2021\n1,2,0\n3,4,1\n5,6,0\n7,8,1\n", {}, "line 1, column 3: '2021' is in no other row"),
        # not finite
        ("a,b\ninf,0\n2,1\n", {}, r"line 2, column 1 \('a'\): 'inf' is not finite"),
        ("a,b\n1,0\n-1e999,1\n", {}, r"line 3, column 1 \('a'\): '-1e999' is not finite"),
        ("a,b\n1,1.5\n2,inf\n", {}, r"line 3, column 2 \('b'\): 'inf' is not finite"),
        # the target
        (FLOWERS, {"target": "specis"}, "line 1: of the 3 columns none is called 'specis'; did you mean 'species'"),
        (FLOWERS, {"target": "zzz"}, "none is called 'zzz'; they are 'length', 'width', 'species'"),
        (FLOWERS, {"target": -1}, "none is called -1; they are 'length'"),
        (FLOWERS, {"ignore": ["lenght"]}, "none is called 'lenght'; did you mean 'length'"),
        (FLOWERS, {"target": "width", "ignore": ["width"]}, "'width' is the target and can't be ignored"),
        ("a,label,y\n1,0,1\n2,1,0\n", {}, "'label' and 'y' may be the target; say which: target='label'"),
        ("a,b\n1,x\n2,x\n3,x\n", {}, r"line 2, column 2 \('b'\): all 3 rows, to line 4, are 'x': one class only"),
        ("a,b\n1,7\n2,7\n", {}, "all 2 rows, to line 3, are '7': one class only"),
        ("a,b\n1,7.5\n2,7.50\n", {}, "one class only, nothing to learn"),
        ("a,b\n1,7\n2,8.5\n3,no\n", {}, r"line 4, column 2 \('b'\): 'no' is no number, but other rows have one.*task="),
        ("a,b\n1,x\n2,y\n", {"task": "regression"}, r"line 2, column 2 \('b'\): 'x' is no number"),
        # names
        ("a,b,a,c\n1,2,3,0\n", {}, r"line 1, column 3 \('a'\): column 1 has the same name"),
        (",a,b\n0,1,0\n1,2,1\n", {}, r"line 1, column 1: it has no name \(row numbers\?\).*ignore=\['column 1'\]"),
        ("a,b,\n1,0,\n2,1,\n", {}, r"line 1, column 3: it has no name \(one delimiter too many\?\)"),
        # no text
        (b"a,b\n1,caf\xe9\n2,x\n", {}, r"line 2, column 2: byte 9 \(0xe9\) is not UTF-8 \(perhaps Latin-1\)"),
        (b"a;b\n1;caf\xe9\n2;x\n", {}, r"line 2, column 2: byte 9"),
        ("a,b\n1,x\n2,y\n".encode("utf-16"), {}, r"line 1, column 1: byte 0 \(0xff\) is not UTF-8 \(UTF-16\)"),
        ("a,b\n1,x\n2,y\n".encode("utf-16-le"), {}, "line 1, column 1: a NUL byte"),
        (b"a,b\n1,x\n2,y\0\n", {}, "line 3, column 2: a NUL byte"),
        (b"PK\x03\x04\xff\xfe", {}, "an Excel workbook"),
        (b"\x1f\x8b\x08\x00", {}, "a gzipped file"),
        (b"a,b\n" + 400_000 * b"1,2\n" + b"3,\xff\n", {}, "line 400002, column 2: byte 1600006"),
        # quotation marks
        ('a,b\n1,"x\n2,y\n', {}, r"line 2: unexpected end of data; look for a quotation mark"),
        ('a,b\n1,"x"z\n2,y\n', {}, r"line 2: .* look for a quotation mark"),
        ('a,b\n1,"x' + 200_000 * "z" + '"\n2,y\n', {}, r"line 2: field larger than field limit"),
    ],
)  # fmt: skip
def test_bad_files(read, content, options, text):
    with pytest.raises(errors.DataError, match=f"(?s){text}") as caught:
        read(content, **options)
    assert "flowers.csv" in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_a_rare_class_in_the_first_row_is_no_name_if_one_says_so(read):
    text = "1,2,rare\n1,2,a\n3,4,b\n5,6,a\n7,8,b\n"
    assert read(text, header=False).class_names == ("a", "b", "rare")
    assert read(text, header=True).feature_names == ("1", "2")
    assert read("1,2,a\n3,4,b\n5,6,c\n").class_names == ("a", "b", "c")


@pytest.mark.parametrize(
    "text",
    ["NA", "N/A", "n.a.", "null", "NaN", "NaT", "None", "<NA>", "#N/A", "#DIV/0!", "#VALUE!", "#NAME?", "-", "--", "."],
)
def test_missing_values_are_no_class_and_no_number(read, text):
    with pytest.raises(errors.DataError, match=r"line 3, column 2 \('b'\): the target is missing"):
        read(f"a,b\n1,x\n2,{text}\n3,y\n")
    with pytest.raises(errors.DataError, match=r"line 3, column 1 \('a'\): a value is missing"):
        read(f"a,b\n1,x\n{text},x\n3,y\n")


@pytest.mark.parametrize("text", ["none", "#1", "A-", "no"])
def test_names_that_look_like_missing_values(read, text):
    assert text in read(f"a,b\n1,x\n2,{text}\n").class_names


def test_row_numbers_can_be_left_out(read):
    assert read(",a,b\n0,1.5,0\n1,2.5,1\n", ignore=["column 1"]).feature_names == ("a",)


def test_lines_are_those_of_the_file(read):
    assert list(read('a,b\n\n1,"x\ny"\n2,z\n').lines) == [3, 5]
    assert list(read("1,x\n2,y\n").lines) == [1, 2]


def test_wrong_arguments(read):
    with pytest.raises(ValueError, match="task='svm'; it is 'classification', 'regression' or None"):
        read(FLOWERS, task="svm")
    with pytest.raises(TypeError, match=r"give a list of names: \['width'\]"):
        read(FLOWERS, ignore="width")
    with pytest.raises(ValueError, match="delimiter=', '; it is a single character"):
        read(FLOWERS, delimiter=", ")


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.csv"):
        data.read_csv(tmp_path / "nothing.csv")
    with pytest.raises(errors.DataError, match="it is a folder; give the path of a file"):
        data.read_csv(tmp_path)


# ----------------------------------------------------------------------------------------------------------- too large
def test_a_file_too_large_is_refused_before_it_is_loaded(read, monkeypatch):
    rows = FLOWERS + 2000 * "5.1,3.5,setosa\n"
    with pytest.raises(errors.DataError, match=r"would take about \d+\.\d kB of memory; 10\.0 kB may be used"):
        read(rows, memory_limit=10_000)
    monkeypatch.setattr(memory, "available_memory", lambda: 10_000)
    monkeypatch.setattr("minigrad.data.tables.read_rows", None)  # not reached
    with pytest.raises(errors.DataError, match=r"8\.0 kB may be used.*set memory_limit"):
        read(rows)


def test_a_limit_of_ones_own_counts(read, monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 100)
    check_flowers(read(FLOWERS, memory_limit=1e6))
    monkeypatch.setattr(memory, "available_memory", lambda: None)  # a system that doesn't say
    check_flowers(read(FLOWERS))


@pytest.mark.skipif(sys.platform != "linux", reason="sparse files, and /proc")
def test_a_table_larger_than_the_machine(tmp_path):
    file = tmp_path / "huge.csv"
    with file.open("wb") as f:
        f.write(100_000 * b"1.5,2.5,0\n")
        f.truncate(1 << 43)  # 8 TB, of which none is there
    with pytest.raises(errors.DataError, match=r"huge\.csv: the table would take about \d+\.\d GB of memory"):
        data.read_csv(file)


def test_a_line_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("minigrad.data.csv_rows.LONGEST", 1000)
    file = tmp_path / "line.csv"
    file.write_text("a,b\n" + 2000 * "1")
    with pytest.raises(errors.DataError, match="line 2: the line has more than 1000 characters"):
        data.read_csv(file)


def test_the_estimate_is_above_what_is_needed(tmp_path):
    """Measured, with what is taken in advance, and by not much."""
    import tracemalloc

    file = tmp_path / "table.csv"
    row = ",".join(["1.5"] * 20)
    file.write_text("".join([f"{row},{i % 3}\n" for i in range(30_000)]))
    from minigrad.data.csv_rows import estimate

    tracemalloc.start()
    data.read_csv(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < estimate(file, 21) < 3 * peak


def test_a_table_that_fills_the_memory_all_the_same(read, monkeypatch):
    def full(*args):
        raise MemoryError

    monkeypatch.setattr("minigrad.data.tables.read_rows", full)
    with pytest.raises(errors.DataError, match="doesn't fit into the memory"):
        read(FLOWERS)


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of Linux")
def test_available_memory_minds_a_limit_of_the_process():
    import subprocess

    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2 << 30, -1));"
        "from minigrad.data.memory import available_memory; print(available_memory())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < 2 << 30
