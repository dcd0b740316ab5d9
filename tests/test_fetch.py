"""Files from elsewhere: whole and verified, or not at all."""

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kerazoo.checkpoints import fetch as fetching
from kerazoo.checkpoints.fetch import check_redirection, fetch
from kerazoo.errors import UserError
from kerazoo.files.cache import cache_folder
from tests.refusals import refusal
from tests.serving import COMMIT, answering, serving

CONTENT = bytes(range(256)) * 12_000  # three chunks
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "weights.bin").write_bytes(CONTENT)
    with serving(tmp_path / "served") as server:
        yield server


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAZOO_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache" / "downloads"


def reference(server, name="weights.bin", sha256=SHA256):
    return f"{server.address}/{name}#sha256={sha256}"


def refused(text, *parts):
    with refusal(*parts):
        fetch(text)


def files(folder):
    return {path.name for path in folder.glob("*") if path.suffix != ".lock"}


def test_a_path_is_itself(tmp_path):
    (tmp_path / "a.pth").touch()
    assert fetch(tmp_path / "a.pth") == fetch(str(tmp_path / "a.pth")) == tmp_path / "a.pth"
    refused(str(tmp_path / "b.pth"), f"{tmp_path / 'b.pth'}: no such file")
    refused(str(tmp_path), "is a folder, not a file")
    os.mkfifo(tmp_path / "pipe")
    for name, told in (("a" * 300, "too long"), ("a\0b", "NUL"), ("pipe", "a pipe or a device")):
        refused(str(tmp_path / name), told)


def test_an_address_is_fetched_once(server, cache, capsys):
    path = fetch(reference(server))
    assert path.read_bytes() == CONTENT
    assert files(cache) == {SHA256}
    assert "downloading" in capsys.readouterr().err
    assert fetch(reference(server)) == path
    assert len(server.sent) == 1


def test_what_was_fetched_needs_no_network(server):
    path = fetch(reference(server))
    server.shutdown()
    server.server_close()
    assert fetch(reference(server)) == path
    refused(reference(server, sha256="0" * 64), "the connection failed", "check the network")


def test_a_broken_transfer_goes_on_where_it_stopped(server, cache):
    server.break_after = [1_500_000, 1_000_000]
    refused(reference(server), f"1500000 of {len(CONTENT)} bytes arrived", "what arrived is kept")
    assert files(cache) == {f"{SHA256}.part"}
    refused(reference(server), f"2500000 of {len(CONTENT)} bytes arrived")
    assert fetch(reference(server)).read_bytes() == CONTENT
    assert [request[1:] for request in server.sent] == [
        (0, 1_500_000),
        (1_500_000, 1_000_000),
        (2_500_000, len(CONTENT) - 2_500_000),
    ]
    assert files(cache) == {SHA256}


def test_a_process_killed_before_the_last_step_loses_nothing(server, cache):
    cache.mkdir(parents=True)
    (cache / f"{SHA256}.part").write_bytes(CONTENT)
    assert fetch(reference(server)).read_bytes() == CONTENT
    assert server.sent == []


def test_another_content_is_refused_and_removed(server, cache):
    wrong = "ab" * 32
    for _ in range(2):
        refused(reference(server, sha256=wrong), SHA256, wrong, "removed")
        assert files(cache) == set()


def test_a_cache_that_was_damaged_is_fetched_again(server, cache):
    fetch(reference(server)).write_bytes(CONTENT[:-1] + b"x")
    assert fetch(reference(server)).read_bytes() == CONTENT


def test_a_start_of_another_file_is_found_out(server, cache):
    cache.mkdir(parents=True)
    (cache / f"{SHA256}.part").write_bytes(b"something else")
    refused(reference(server), "removed")
    assert fetch(reference(server)).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://example.com/weights.pth", "does not tell its sha256"),
        ("https://example.com/weights.pth#sha256=f37072fd", "64 hex digits"),
        ("http://example.com/weights.pth#sha256=" + SHA256, "neither a path nor hf:// nor https://"),
        ("ftp://example.com/weights.pth#sha256=" + SHA256, "neither a path"),
        ("https://[/weights.pth#sha256=" + SHA256, "is no address"),
        ("https://a..b/weights.pth#sha256=" + SHA256, "is no address"),
        ("https:///weights.pth#sha256=" + SHA256, "is no address"),
        ("https://example.com:abc/weights.pth#sha256=" + SHA256, "is no address"),
        ("https://example.com/my weights.pth#sha256=" + SHA256, "%20"),
        ("hf://timm/resnet18", "hf://owner/repo"),
        ("hf://timm", "names no file"),
    ],
)
def test_malformed_references(text, told):
    refused(text, text.partition("#")[0], told)


def test_a_server_without_ranges_sends_all_of_it(server, cache):
    server.ranges, server.break_after = False, [1_500_000]
    refused(reference(server), "1500000 of")
    assert fetch(reference(server)).read_bytes() == CONTENT


def test_two_at_once_are_one_transfer(server):
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(fetch, [reference(server)] * 2)
    assert first == second
    assert len(server.sent) == 1


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting needs root")
def test_a_full_disk(server, tmp_path, monkeypatch):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("this machine mounts no tmpfs")
    try:
        monkeypatch.setenv("KERAZOO_CACHE", str(disk))
        refused(reference(server), str(disk), "the disk is full")
        assert not (disk / "downloads" / SHA256).exists()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_answers_that_are_none(server, cache):
    refused(reference(server, "none.pth"), "the server answers 404")
    refused(reference(server, "moved"), "http://example.com/elsewhere is neither")
    assert files(cache) == set()


def answer(*headers, body=CONTENT):
    return "\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""]).encode() + body


@pytest.mark.parametrize("length", ["abc", "-5", "9" * 5000], ids=["text", "negative", "long"])
def test_a_length_that_is_none_changes_nothing(length):
    with answering(answer(f"Content-Length: {length}")) as address:
        assert fetch(f"{address}/a#sha256={SHA256}").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "data", [answer(), b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000], ids=["content", "headers"]
)
def test_an_answer_that_dribbles_is_given_up(monkeypatch, data):
    monkeypatch.setattr(fetching, "WINDOW", 0.2)
    with answering(data, piece=1, pause=0.02) as address:
        refused(f"{address}/a#sha256={SHA256}", "the connection failed (", "bytes in 0 s")


@pytest.mark.parametrize("headers", [(), ("Content-Length: " + "9" * 400,)], ids=["unknown", "told"])
def test_a_file_has_a_largest_size(monkeypatch, cache, headers):
    monkeypatch.setattr(fetching, "LARGEST", 10_000)
    with answering(answer(*headers)) as address:
        refused(f"{address}/a#sha256={SHA256}", "has more than 10000 bytes")
    assert sum(path.stat().st_size for path in cache.glob("*")) <= 10_000


@pytest.fixture
def names(monkeypatch):
    """Two names, of a public and of a private address; others are unknown."""
    known = {"here.org": "8.8.8.8", "inner.org": "10.0.0.7", "127.0.0.1": "127.0.0.1", "::1": "::1"}

    def found(host, *_, **__):
        if host not in known:
            raise socket.gaierror("unknown")
        return [(None, None, None, "", (known[host], 0))]

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.mark.parametrize(
    ("first", "following", "told"),
    [
        ("https://here.org/a", "https://here.org/b", None),
        ("https://here.org/a", "https://unknown.org/b", None),
        ("https://inner.org/a", "https://inner.org/b", None),
        ("https://inner.org/a", "https://here.org/b", None),
        ("http://127.0.0.1/a", "http://127.0.0.1:80/b", None),
        ("http://127.0.0.1/a", "https://here.org/b", None),
        ("https://here.org/a", "https://inner.org/b", "leads to https://inner.org/b, a private address"),
        ("https://here.org/a", "https://[::1]/b", "a private address"),
        ("https://here.org/a", "http://127.0.0.1/b", "which is not https"),
        ("https://inner.org/a", "http://127.0.0.1/b", "which is not https"),
        ("https://here.org/a", "http://here.org/b", "neither a path nor"),
        ("http://127.0.0.1/a", "http://inner.org/b", "neither a path nor"),
        ("https://here.org/a", "file:///etc/passwd", "neither a path nor"),
    ],
)
def test_where_an_address_may_lead(names, first, following, told):
    with pytest.raises(UserError, match=told) if told else contextlib.nullcontext():
        check_redirection(first, following)


def test_a_cache_that_cannot_be_written(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("KERAZOO_CACHE", str(tmp_path / "file"))
    refused(reference(server), "cannot write", str(tmp_path / "file"))


def test_where_the_cache_is(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("KERAZOO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "kerazoo"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "kerazoo"


# --- the hub, in a process of its own, since its client reads its settings when it is imported ---


def hub(tmp_path, server, text="hf://timm/tiny/weights.bin", **variables):
    """Fetch in a fresh process; return (its last line, was it a refusal)."""
    code = "import sys; from kerazoo.checkpoints.fetch import fetch; from kerazoo.errors import UserError\n"
    code += "try: print(fetch(sys.argv[1]))\nexcept UserError as e: print('REFUSED', e)"
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    settings = {
        "HF_HOME": str(tmp_path / "hf"),
        "HF_ENDPOINT": server.address,
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code, text],
        env=kept | settings | variables, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_the_hub_through_its_own_cache(server, tmp_path):
    content = CONTENT * 4  # its client writes, and goes on from, pieces of 10 MiB
    (server.folder / "weights.bin").write_bytes(content)
    server.break_after = [11_000_000]
    path = hub(tmp_path, server)
    assert path.startswith(str(tmp_path / "hf"))
    assert Path(path).read_bytes() == content
    assert [request[1:] for request in server.sent] == [
        (0, 11_000_000),
        (10 << 20, len(content) - (10 << 20)),
    ]
    assert server.sent[0][0] == "/timm/tiny/resolve/main/weights.bin"
    assert hub(tmp_path, server, HF_HUB_OFFLINE="1") == path
    assert hub(tmp_path, server, f"hf://timm/tiny@{COMMIT}/weights.bin", HF_HUB_OFFLINE="1") == path
    assert len(server.sent) == 2


def test_what_the_hub_does_not_have(server, tmp_path):
    line = hub(tmp_path, server, "hf://timm/tiny/none.safetensors")
    assert line.startswith("REFUSED hf://timm/tiny/none.safetensors")
    assert "check owner, repository and file" in line
    line = hub(tmp_path, server, HF_HUB_OFFLINE="1")
    assert line.startswith("REFUSED hf://timm/tiny/weights.bin was not fetched before")
    assert not [
        path for path in (tmp_path / "hf").rglob("*") if path.is_file() and path.stat().st_size > 1000
    ]
