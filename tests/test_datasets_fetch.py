"""Downloads: only when asked, from the next mirror when one fails, nothing half-written."""

import dataclasses
import gzip
import hashlib
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
from idx_files import MNIST_SHAPES, write_mnist

from pynet.datasets import download_mnist, init_mnist, load_fashion_mnist, load_mnist, mnist

NAMES = [f"{name}.gz" for name in MNIST_SHAPES]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("PYNET_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pynet" / "mnist"


@pytest.fixture
def published(tmp_path):
    """The files as a mirror has them, by name."""
    write_mnist(tmp_path / "mirror", ".gz", lambda data: gzip.compress(data, mtime=0))
    return {name: (tmp_path / "mirror" / name).read_bytes() for name in NAMES}


def in_folder(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


class FakePooch:
    """Stands for pooch; `mirrors` maps the beginning of an address to what the mirror does."""

    def __init__(self, published, down=()):
        self.published, self.down, self.calls = published, down, []

    def retrieve(self, url, known_hash, fname, path):
        self.calls.append(url)
        if url.startswith(tuple(self.down)):
            raise ConnectionError("host is down")
        assert known_hash == f"sha256:{mnist.MNIST.sha256[fname]}" and url.endswith(fname)
        path.mkdir(parents=True, exist_ok=True)
        (path / fname).write_bytes(self.published[fname])


@pytest.fixture
def pooch(monkeypatch, published):
    fake = FakePooch(published)
    monkeypatch.setitem(sys.modules, "pooch", fake)
    return fake


def test_never_without_being_asked(pooch, cache):
    for loader in (load_mnist, load_fashion_mnist):
        with pytest.raises(FileNotFoundError, match="download=True"):
            loader()
    assert pooch.calls == [] and not cache.exists()


def test_into_the_cache(pooch, cache):
    (x, _), _ = load_mnist(download=True)
    assert x.shape == (12, 784) and in_folder(cache) == sorted(NAMES)
    assert pooch.calls == [mnist.MNIST.mirrors[0] + name for name in NAMES]
    load_mnist(download=True)
    load_mnist()
    assert download_mnist() == cache and init_mnist() is None
    assert len(pooch.calls) == 4  # what is there is not fetched again


def test_into_a_given_folder(pooch, tmp_path, cache):
    (x, _), _ = load_mnist(data_dir=tmp_path / "mine", download=True)
    assert x.shape == (12, 784) and in_folder(tmp_path / "mine") == sorted(NAMES)
    assert not cache.exists()


def test_only_what_is_missing(pooch, tmp_path):
    write_mnist(tmp_path / "mine")
    (tmp_path / "mine" / "t10k-labels-idx1-ubyte").unlink()
    assert download_mnist(tmp_path / "mine") == tmp_path / "mine"
    assert pooch.calls == [mnist.MNIST.mirrors[0] + "t10k-labels-idx1-ubyte.gz"]


def test_init_mnist_reads_what_it_finds(pooch, tmp_path):
    init_mnist(tmp_path / "mine")
    (tmp_path / "mine" / NAMES[2]).write_bytes(b"damaged")
    with pytest.raises(ValueError, match=rf"^\[load_mnist\] {NAMES[2]}: expected an IDX header"):
        init_mnist(tmp_path / "mine")


def test_the_next_mirror_is_tried(pooch, cache):
    first, second = mnist.MNIST.mirrors[:2]
    pooch.down = (first,)
    load_mnist(download=True)
    assert [url for url in pooch.calls if url.startswith(second)] == [second + n for n in NAMES]
    assert in_folder(cache) == sorted(NAMES)


def check_message(error, folder, *words):
    message = str(error.value)
    first = message.splitlines()[0]
    assert first.startswith("[load_mnist] data_dir: expected one folder with ")
    assert all(name in first for name in MNIST_SHAPES)
    assert str(folder) in message and "load_mnist(download=True)" in message
    for word in words:
        assert word in message


def test_when_every_mirror_fails(pooch, cache):
    pooch.down = mnist.MNIST.mirrors
    with pytest.raises(FileNotFoundError) as caught:
        load_mnist(download=True)
    urls = [f"{mirror}{NAMES[0]}: host is down" for mirror in mnist.MNIST.mirrors]
    check_message(caught, cache, *urls)
    assert len(pooch.calls) == len(urls) >= 2
    with pytest.raises(FileNotFoundError, match="host is down"):
        download_mnist()


def test_without_pooch(monkeypatch, cache):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(FileNotFoundError) as caught:
        load_mnist(download=True)
    check_message(caught, cache, "pooch is not installed", "pip install 'pynet[data]'")
    write_mnist(cache)
    load_mnist(download=True)  # nothing to download: not needed


@pytest.mark.parametrize("source", [mnist.MNIST, mnist.FASHION_MNIST])
def test_the_published_digests(source):
    assert list(source.sha256) == NAMES and len(source.mirrors) >= 2
    assert all(len(digest) == 64 and int(digest, 16) for digest in source.sha256.values())
    assert len(set(mnist.MNIST.sha256.values()) | set(mnist.FASHION_MNIST.sha256.values())) == 8


# ---- with the real pooch and a server on this machine


@pytest.fixture
def server(monkeypatch, published):
    """A server whose first folder can be told to misbehave, and a source that points to it."""
    pytest.importorskip("pooch")
    state = SimpleNamespace(fault=lambda handler, content: None, asked=[])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            folder, name = self.path.strip("/").split("/")
            state.asked.append((folder, name))
            content = published[name]
            if folder == "first" and state.fault(self, content) != "go on":
                return
            self.answer(content, len(content))

        def answer(self, content, length):
            self.send_response(200)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
    thread.start()
    base = f"http://127.0.0.1:{httpd.server_address[1]}"
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in published.items()}
    source = dataclasses.replace(
        mnist.MNIST, mirrors=(f"{base}/first/", f"{base}/second/"), sha256=digests
    )
    monkeypatch.setattr(mnist, "MNIST", source)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


FAULTS = {
    "error 403": lambda handler, content: handler.send_error(403),
    "a web page instead": lambda handler, content: handler.answer(b"<html>no</html>", 15),
    "cut short": lambda handler, content: handler.answer(content[:20], len(content)),
    "one wrong bit": lambda handler, content: handler.answer(
        content[:-1] + bytes([content[-1] ^ 1]), len(content)
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_mirror_leaves_nothing_behind(server, cache, fault):
    server.fault = FAULTS[fault]
    (x, _), _ = load_mnist(download=True, normalize=False)
    assert x.dtype == np.uint8 and in_folder(cache) == sorted(NAMES)
    assert [name for folder, name in server.asked if folder == "second"] == NAMES


def test_bad_mirrors_leave_nothing_behind(server, cache, monkeypatch):
    server.fault = FAULTS["one wrong bit"]
    first = mnist.MNIST.mirrors[0]
    monkeypatch.setattr(mnist, "MNIST", dataclasses.replace(mnist.MNIST, mirrors=(first,) * 2))
    with pytest.raises(FileNotFoundError) as caught:
        load_mnist(download=True)
    check_message(caught, cache, f"download failed: {first}{NAMES[0]}")
    assert in_folder(cache) == []


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileNotFoundError) as caught:
        load_mnist(download=True, data_dir=tmp_path / "file")
    check_message(caught, tmp_path / "file", "download failed:")
    assert (tmp_path / "file").read_text() == "in the way"


def test_good_mirror(server, cache):
    server.fault = lambda handler, content: "go on"
    load_mnist(download=True)
    assert server.asked == [("first", name) for name in NAMES]
