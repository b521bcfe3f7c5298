"""Matbench tasks: the fact table, the official folds, downloads and every way they go wrong."""

import dataclasses
import hashlib
import os
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matbench_files import compress, pack, simple
from sklearn.model_selection import KFold, StratifiedKFold

from crabsk.datasets import _matbench, fetch_matbench, matbench_folds
from crabsk.datasets._matbench_tasks import TASKS

STEELS = pack(["composition", "yield strength"], [["Fe0.9C0.1", 2411.5], ["NaN", 0.1], ["Fe", 3]])
JDFT2D = pack(
    ["structure", "exfoliation_en"],
    [[simple("Te Hf Te Hf"), 63.593833333333016], [simple("As As"), 134.86375000000007]],
)
GLASS = pack(["composition", "gfa"], [["Al", False], ["AlCu", True], ["Zr2Cu", True]])


class Server:
    """A server on this computer that sends `body`, after failing as often as it is told to."""

    def __init__(self):
        self.body = b""
        self.failures = []  # one a request: a status, or "cut" for a connection that ends too early
        self.n_requests = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.n_requests += 1
                failure = outer.failures.pop(0) if outer.failures else None
                if isinstance(failure, int):
                    self.send_error(failure)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body[:-5] if failure == "cut" else outer.body)

            def log_message(self, *args):
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def offline(monkeypatch):
    """Fail where anything asks for the network."""

    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(_matbench, "urlopen", refuse)


@pytest.fixture
def make_task(monkeypatch):
    """Let a task stand for the given bytes."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def make(name, raw, n_rows, url="http://127.0.0.1:9/none"):
        task = dataclasses.replace(
            TASKS[name],
            url=f"{url}/matbench_{name}.json.gz",
            sha256=hashlib.sha256(raw).hexdigest(),
            n_rows=n_rows,
        )
        monkeypatch.setitem(TASKS, name, task)
        return task

    return make


@pytest.fixture
def place(make_task, offline, tmp_path):
    """Put bytes where a task's official file belongs; no network."""

    def put(name, raw, n_rows):
        make_task(name, raw, n_rows)
        path = tmp_path / "crabsk" / "matbench" / f"matbench_{name}.json.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        return path

    return put


def files(data_home):
    return sorted(path.name for path in data_home.rglob("*") if path.is_file())


# --------------------------------------------------------------------------------- the fact table


CLASSIFICATION = ["expt_is_metal", "glass", "mp_is_metal"]

# Formulas and targets of eleven tasks, where they lie beside the repository.
FILES = sorted((Path(__file__).parents[3] / "shared" / "data" / "matbench").glob("*.csv.gz"))


def test_all_tasks_are_there():
    assert len(TASKS) == len({task.sha256 for task in TASKS.values()}) == 13
    assert [name for name, task in TASKS.items() if task.classes] == CLASSIFICATION


@pytest.mark.skipif(not FILES, reason="the data sets are not at hand")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.removesuffix(".csv.gz"))
def test_facts_are_those_of_the_data(path):
    task = TASKS[path.name.removesuffix(".csv.gz")]
    table = pd.read_csv(path, keep_default_na=False)
    assert task.n_rows == len(table)
    assert bool(task.classes) == (set(table["target"]) == {0, 1})
    # What a cell holds is written with every amount, elements in order; people write otherwise.
    elements = table["formula"].str.findall("[A-Z][a-z]?(?=[0-9])")
    from_cells = table["formula"].str.fullmatch("([A-Z][a-z]?[0-9.]+)+") & (
        elements.map(sorted) == elements
    )
    assert (task.inputs == "structure") == from_cells.all()


@pytest.mark.parametrize("name", TASKS)
def test_facts_are_complete(name):
    task = TASKS[name]
    assert task.url == f"https://ml.materialsproject.org/projects/matbench_{name}.json.gz"
    assert len(task.sha256) == 64
    assert int(task.sha256, 16)
    assert len(task.classes) in (0, 2)
    assert (task.unit is None) == bool(task.classes)
    assert task.what.endswith(".")
    assert task.references


@pytest.mark.parametrize("name", TASKS)
def test_documents_tell_the_facts(name):
    task = TASKS[name]
    descr = _matbench._describe(name, task)
    for told in (f"matbench_{name}", str(task.n_rows), task.column, task.url, task.kind, task.what):
        assert told in descr
    assert "$" not in descr
    (line,) = [line for line in fetch_matbench.__doc__.splitlines() if f"``{name}``" in line]
    assert line.split(maxsplit=4)[1:] == [
        str(task.n_rows),
        task.kind,
        task.inputs,
        *([task.unit] if task.unit else []),
    ]


@pytest.mark.parametrize("name", ["", "matbench_", "matbench_matbench_steels", "Steels", None, []])
@pytest.mark.parametrize("function", [fetch_matbench, matbench_folds])
def test_unknown_name(function, name):
    with pytest.raises(ValueError, match=r"has no task .*steels") as caught:
        function(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("wrong", [{"n_retries": -1}, {"delay": -0.5}])
def test_negative_retries(wrong):
    with pytest.raises(ValueError, match="must not be negative"):
        fetch_matbench("steels", **wrong)


# ------------------------------------------------------------------------------------- the folds


@pytest.mark.parametrize("prefix", ["", "matbench_"])
@pytest.mark.parametrize("name", TASKS)
def test_folds(name, prefix):
    splitter = matbench_folds(prefix + name)
    kind = StratifiedKFold if name in CLASSIFICATION else KFold
    y = np.random.RandomState(0).randint(2, size=200)
    expected = list(kind(n_splits=5, shuffle=True, random_state=18012019).split(y, y))
    assert type(splitter) is kind
    for ours, theirs in zip(splitter.split(y, y), expected, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


def test_folds_are_the_published_ones():
    """First test rows of each fold of steels, from ids that Matbench published (counted from 1)."""
    published = [
        [3, 5, 20, 26, 27, 32, 35, 41, 45, 46],
        [4, 9, 10, 12, 24, 30, 40, 47, 60, 62],
        [17, 19, 21, 23, 33, 48, 53, 54, 59, 65],
        [2, 7, 14, 22, 31, 34, 42, 43, 44, 49],
        [1, 6, 8, 11, 13, 15, 16, 18, 25, 28],
    ]
    found = [(test + 1).tolist() for _, test in matbench_folds("steels").split(np.zeros(312))]
    assert [len(test) for test in found] == [63, 63, 62, 62, 62]
    assert [test[:10] for test in found] == published


# ------------------------------------------------------------------------------- what is returned


def test_bunch_for_regression(place, tmp_path):
    path = place("steels", STEELS, 3)
    for _ in range(2):  # from the official file, then from the table made of it
        bunch = fetch_matbench("matbench_steels", data_home=tmp_path)
        assert bunch.data.tolist() == ["Fe0.9C0.1", "NaN", "Fe"]
        assert bunch.data.dtype == object
        assert bunch.target.tolist() == [2411.5, 0.1, 3.0]
        assert bunch.target.dtype == np.float64
        assert bunch.frame is None
        assert bunch.feature_names == ["formula"]
        assert bunch.target_names == ["yield strength"]
        assert (bunch.task, bunch.unit) == ("regression", "MPa")
        assert bunch.filename == str(path)
        assert "citrination" in bunch.DESCR


def test_bunch_for_classification(place, tmp_path):
    place("glass", GLASS, 3)
    for _ in range(2):
        bunch = fetch_matbench("glass", data_home=tmp_path)
        assert bunch.target.tolist() == [0, 1, 1]
        assert bunch.target.dtype == np.int64
        assert bunch.target_names == ["not glass forming", "glass forming"]
        assert (bunch.task, bunch.unit) == ("classification", None)


def test_frames(place, tmp_path):
    place("steels", STEELS, 3)
    first = fetch_matbench("steels", data_home=tmp_path, as_frame=True)
    second = fetch_matbench("steels", data_home=tmp_path, as_frame=True)
    pd.testing.assert_frame_equal(first.frame, second.frame)
    assert list(first.frame.columns) == ["formula", "yield strength"]
    pd.testing.assert_frame_equal(first.data, first.frame[["formula"]])
    pd.testing.assert_series_equal(first.target, first.frame["yield strength"])
    X, y = fetch_matbench("steels", data_home=tmp_path, as_frame=True, return_X_y=True)
    pd.testing.assert_series_equal(X, first.frame["formula"])
    pd.testing.assert_series_equal(y, first.target)
    assert X.tolist() == ["Fe0.9C0.1", "NaN", "Fe"]
    assert not X.isna().any()
    X, y = fetch_matbench("steels", data_home=tmp_path, return_X_y=True)
    assert isinstance(X, np.ndarray)
    assert X.shape == y.shape == (3,)


def test_targets_survive_the_table_exactly(place, tmp_path):
    values = np.random.RandomState(0).standard_normal(1000) * 10.0 ** np.arange(-50, 50).repeat(10)
    raw = pack(["composition", "yield strength"], [["Fe", value] for value in values])
    place("steels", raw, 1000)
    for _ in range(2):
        _, y = fetch_matbench("steels", data_home=tmp_path, return_X_y=True)
        np.testing.assert_array_equal(y, values)


def test_odd_texts_survive_the_table(place, tmp_path):
    texts = [
        "NaN",
        "nan",
        "NA",
        " Fe ",
        "CuSO4·5H2O",
        'a,"b"',
        "a\nb",
        "a\r\nb",
        "a\x1c\x85\u2028b",
    ]
    place("steels", pack(["composition", "yield strength"], [[text, 1] for text in texts]), 9)
    for _ in range(2):
        X, _ = fetch_matbench("steels", data_home=tmp_path, return_X_y=True)
        assert X.tolist() == texts


def test_default_data_home_is_that_of_sklearn(place, monkeypatch, tmp_path):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    place("steels", STEELS, 3)
    assert len(fetch_matbench("steels").data) == 3


# --------------------------------------------------------------------------- malformed, hostile


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "not gzip-compressed JSON"),
        (b"plain text", "not gzip-compressed JSON"),
        (STEELS[:-20], "not gzip-compressed JSON"),
        (STEELS[:30] + b"\xff" + STEELS[31:], "not gzip-compressed JSON"),
        (compress(b"\xff\xfe\x00"), "not gzip-compressed JSON"),
        (compress(b'{"columns": ['), "not gzip-compressed JSON"),
        (compress(b"[" * 200_000), "not gzip-compressed JSON"),
        (compress(b"[]"), "not a table"),
        (compress(b"3"), "not a table"),
        (compress(b'{"sites": []}'), "not a table"),
        (compress(b'{"columns": [], "data": {}}'), "not a table"),
        (pack(["composition"], [["Fe"]]), "no column 'yield strength'"),
        (pack(["structure", "yield strength"], [["Fe", 1]]), "no column 'composition'"),
        (pack(["composition", "yield strength"], []), "has 0 rows, it should have 1"),
        (pack(["composition", "yield strength"], [["Fe", 1]] * 2), "has 2 rows"),
        (pack(["composition", "yield strength"], [["Fe"]]), "row 0: it is not a list of 2"),
        (pack(["composition", "yield strength"], [{"Fe": 1}]), "row 0: it is not a list of 2"),
    ],
)
def test_malformed_file(place, tmp_path, raw, message):
    place("steels", raw, 1)
    with pytest.raises(ValueError, match=f"file of matbench_steels .*{message}"):
        fetch_matbench("steels", data_home=tmp_path)
    assert files(tmp_path) == ["matbench_steels.json.gz"]


def test_file_contents_are_never_acted_upon(place, tmp_path):
    """A decoder that believed these entries would import and call what they name."""
    marker = tmp_path / "executed"
    call = {
        "@module": "os",
        "@class": "system",
        "@callable": "system",
        "command": f"touch {marker}",
    }
    hostile = {**simple("K O"), **call, "lattice": call, "properties": call}
    hostile["sites"][0]["species"][0].update(call)
    raw = pack(["structure", "exfoliation_en"], [[hostile, 1.0]], **call)
    place("jdft2d", raw, 1)
    assert fetch_matbench("jdft2d", data_home=tmp_path).data.tolist() == ["K1O1"]
    assert not marker.exists()


# ------------------------------------------------------------------------------------ downloading


def test_download_once(server, make_task, tmp_path, monkeypatch):
    server.body = JDFT2D
    make_task("jdft2d", JDFT2D, 2, server.url)
    first = fetch_matbench("jdft2d", data_home=tmp_path)
    assert first.data.tolist() == ["Hf2Te2", "As2"]
    assert first.target.tolist() == [63.593833333333016, 134.86375000000007]
    assert Path(first.filename).read_bytes() == JDFT2D
    second = fetch_matbench("jdft2d", data_home=tmp_path)
    np.testing.assert_array_equal(first.data, second.data)
    np.testing.assert_array_equal(first.target, second.target)
    assert server.n_requests == 1


def test_table_alone_is_enough(server, make_task, tmp_path):
    server.body = JDFT2D
    make_task("jdft2d", JDFT2D, 2, server.url)
    os.unlink(fetch_matbench("jdft2d", data_home=tmp_path).filename)
    bunch = fetch_matbench("jdft2d", data_home=tmp_path, download_if_missing=False)
    assert bunch.data.tolist() == ["Hf2Te2", "As2"]


def test_official_file_put_there_by_hand_is_enough(place, tmp_path):
    place("jdft2d", JDFT2D, 2)
    bunch = fetch_matbench("jdft2d", data_home=str(tmp_path), download_if_missing=False)
    assert bunch.data.tolist() == ["Hf2Te2", "As2"]


@pytest.mark.parametrize("failure", [503, 404, "cut"])
def test_failed_tries_are_told_and_repeated(server, make_task, tmp_path, monkeypatch, failure):
    naps = []
    monkeypatch.setattr(_matbench.time, "sleep", naps.append)
    server.body, server.failures = STEELS, [failure, failure]
    make_task("steels", STEELS, 3, server.url)
    with pytest.warns(UserWarning, match="trying again") as caught:
        bunch = fetch_matbench("steels", data_home=tmp_path, n_retries=2, delay=0.25)
    assert len(bunch.data) == 3
    assert naps == [0.25, 0.25]
    assert [str(w.message).split(", ")[-1] for w in caught] == ["2 more times.", "1 more time."]
    assert {w.filename for w in caught} == {__file__}


@pytest.mark.filterwarnings("ignore:Could not download:UserWarning")
@pytest.mark.parametrize("failure", [503, "cut"])
def test_too_many_failures(server, make_task, tmp_path, failure):
    server.body, server.failures = STEELS, [failure] * 10
    task = make_task("steels", STEELS, 3, server.url)
    with pytest.raises(OSError, match="Could not download") as caught:
        fetch_matbench("steels", data_home=tmp_path, n_retries=2, delay=0)
    assert server.n_requests == 3
    told = str(caught.value)
    assert f"Download {task.url} elsewhere" in told
    assert str(tmp_path / "crabsk" / "matbench" / "matbench_steels.json.gz") in told
    assert files(tmp_path) == []


def test_no_retries_no_warning(server, make_task, tmp_path):
    server.failures = [500]
    make_task("steels", STEELS, 3, server.url)
    with pytest.raises(OSError, match="HTTP Error 500"):
        fetch_matbench("steels", data_home=tmp_path, n_retries=0)
    assert server.n_requests == 1


def test_nobody_answers(make_task, tmp_path):
    make_task("steels", STEELS, 3)  # port 9 of this computer
    with pytest.raises(OSError, match=r"Could not download .*put it, as it is, at"):
        fetch_matbench("steels", data_home=tmp_path, n_retries=0)


def test_not_there_and_not_to_be_downloaded(offline, tmp_path):
    with pytest.raises(OSError, match="download_if_missing=False") as caught:
        fetch_matbench("mp_gap", data_home=tmp_path, download_if_missing=False)
    told = str(caught.value)
    assert "https://ml.materialsproject.org/projects/matbench_mp_gap.json.gz" in told
    assert str(tmp_path / "crabsk" / "matbench" / "matbench_mp_gap.json.gz") in told


def test_wrong_checksum_after_download(server, make_task, tmp_path):
    server.body = GLASS
    task = make_task("steels", STEELS, 3, server.url)
    with pytest.raises(OSError, match="It was not kept") as caught:
        fetch_matbench("steels", data_home=tmp_path)
    assert hashlib.sha256(GLASS).hexdigest() in str(caught.value)
    assert task.sha256 in str(caught.value)
    assert server.n_requests == 1
    assert files(tmp_path) == []


def test_wrong_file_put_there_by_hand(place, tmp_path):
    path = place("steels", STEELS, 3)
    path.write_bytes(GLASS)
    with (
        pytest.warns(UserWarning, match="is not the official file and is not used"),
        pytest.raises(OSError, match="download_if_missing=False"),
    ):
        fetch_matbench("steels", data_home=tmp_path, download_if_missing=False)
    assert path.read_bytes() == GLASS  # somebody else's file is not deleted


def test_wrong_file_is_replaced_by_a_download(server, make_task, tmp_path):
    server.body = STEELS
    make_task("steels", STEELS, 3, server.url)
    path = tmp_path / "crabsk" / "matbench" / "matbench_steels.json.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(STEELS[:-4])
    with pytest.warns(UserWarning, match="is not the official file"):
        assert len(fetch_matbench("steels", data_home=tmp_path).data) == 3
    assert path.read_bytes() == STEELS


class Interrupting:
    """A response that the user stops half way."""

    headers = {"Content-Length": "100"}  # noqa: RUF012

    def __enter__(self):
        return self

    def __exit__(self, *args):
        return None

    def read(self, size):
        raise KeyboardInterrupt


def test_interrupted_download(make_task, tmp_path, monkeypatch):
    make_task("steels", STEELS, 3)
    monkeypatch.setattr(_matbench, "urlopen", lambda *args, **kwargs: Interrupting())
    with pytest.raises(KeyboardInterrupt):
        fetch_matbench("steels", data_home=tmp_path)
    assert files(tmp_path) == []


@pytest.mark.parametrize("stop_at", [1, 2, 3])
def test_interrupted_write(server, make_task, tmp_path, monkeypatch, stop_at):
    """Stopped at the official file, the table or its checksum: no half file, next call works."""
    server.body = STEELS
    make_task("steels", STEELS, 3, server.url)
    replace, n_calls = os.replace, 0

    def stopping(source, target):
        nonlocal n_calls
        n_calls += 1
        if n_calls == stop_at:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", stopping)
    with pytest.raises(KeyboardInterrupt):
        fetch_matbench("steels", data_home=tmp_path)
    left = files(tmp_path)
    assert len(left) == stop_at - 1
    assert not any(name.endswith(".part") for name in left)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(fetch_matbench("steels", data_home=tmp_path).data) == 3
    assert len(files(tmp_path)) == 3
    assert server.n_requests == (2 if stop_at == 1 else 1)


# ------------------------------------------------------------------------------ the stored table


def table_of(data_home):
    (path,) = data_home.rglob("*.csv.gz")
    return path, path.with_name(path.name + ".sha256")


def test_checksum_is_as_sha256sum_writes_it(place, tmp_path):
    place("steels", STEELS, 3)
    fetch_matbench("steels", data_home=tmp_path)
    table, checksum = table_of(tmp_path)
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    assert checksum.read_text() == f"{digest}  {table.name}\n"


def test_table_is_written_the_same_every_time(place, tmp_path):
    place("steels", STEELS, 3)
    fetch_matbench("steels", data_home=tmp_path)
    table, checksum = table_of(tmp_path)
    before = table.read_bytes()
    checksum.unlink()
    fetch_matbench("steels", data_home=tmp_path)
    assert table.read_bytes() == before


@pytest.mark.parametrize(
    "damage", ["table cut", "table changed", "checksum cut", "checksum binary"]
)
def test_damaged_table_is_made_again(place, tmp_path, damage):
    place("steels", STEELS, 3)
    fetch_matbench("steels", data_home=tmp_path)
    table, checksum = table_of(tmp_path)
    sound = table.read_bytes()
    if damage == "table cut":
        table.write_bytes(sound[:-9])
    elif damage == "table changed":
        table.write_bytes(compress(b"formula,target\nFe,1.0\n"))
    elif damage == "checksum cut":
        checksum.write_bytes(b"")
    else:
        checksum.write_bytes(b"\xff\xfe\x80")
    with pytest.warns(UserWarning, match="is damaged"):
        bunch = fetch_matbench("steels", data_home=tmp_path)
    assert bunch.target.tolist() == [2411.5, 0.1, 3.0]
    assert table.read_bytes() == sound
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fetch_matbench("steels", data_home=tmp_path)


def test_damaged_table_without_its_source(place, tmp_path):
    path = place("steels", STEELS, 3)
    fetch_matbench("steels", data_home=tmp_path)
    path.unlink()
    table_of(tmp_path)[0].write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="is damaged"),
        pytest.raises(OSError, match=r"Download .* elsewhere"),
    ):
        fetch_matbench("steels", data_home=tmp_path, download_if_missing=False)


def test_table_of_another_source_is_not_used(place, tmp_path):
    place("steels", STEELS, 3)
    fetch_matbench("steels", data_home=tmp_path)
    other = pack(["composition", "yield strength"], [["Ni", 1.0]])
    place("steels", other, 1)
    assert fetch_matbench("steels", data_home=tmp_path).data.tolist() == ["Ni"]


def test_read_only_data_home(place, tmp_path, monkeypatch):
    place("steels", STEELS, 3)

    def refuse(source, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.warns(UserWarning, match="Could not store .*will read the official file again"):
        assert len(fetch_matbench("steels", data_home=tmp_path).data) == 3
    assert files(tmp_path) == ["matbench_steels.json.gz"]
