"""`kerazoo predict` on what people have: bad files among good ones, odd names, results of before."""

import json
import os
import struct
import zlib

import numpy as np
import pytest
from click.testing import CliRunner

from kerazoo import backend, video
from kerazoo.cli import main
from kerazoo.engine.index import embedder_digest
from kerazoo.engine.index.file import Contents, Entry, mark_of, write_contents
from kerazoo.image import write_image
from kerazoo.run import open_run
from kerazoo.tasks.classification import Classification
from kerazoo.video import Camera
from tests.cli.test_predict import made, predicted, rows
from tests.videos import cut, make_image, make_video

GOOD = 50


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of an untrained network that classifies."""
    return made("resnet-cifar", tmp_path_factory.mktemp("run") / "run")


def good(folder, count=GOOD):
    """Write images whose names, sizes and places are odd, and plain ones."""
    odd = [
        "n" * 205,
        "Käse",
        "猫",
        "\x1b[31mred\nError: forged",
        os.fsdecode(b"caf\xe9"),
        "a\u202eb",
        "[1]*?",
    ]
    for number, name in enumerate([*odd, *map(str, range(count - len(odd)))]):
        path = folder / ("deep[x]" if number % 2 else "") / f"{name}.png"
        write_image(
            folder / "x.png", make_image(number % 12, [(20, 30), (1, 1), (1, 40000), (40000, 1)][number % 4])
        )
        path.parent.mkdir(exist_ok=True)
        (folder / "x.png").rename(path)


def bad(folder):
    """Write files that cannot be read, each for a reason of its own."""
    sound = make_image(3)
    write_image(folder / "cut.png", np.random.default_rng(0).integers(0, 256, sound.shape, "uint8"))
    data = (folder / "cut.png").read_bytes()
    (folder / "cut.png").write_bytes(data[: len(data) // 2])
    (folder / "flipped.png").write_bytes(data[:60] + bytes([data[60] ^ 255]) + data[61:])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("<html>404: not found</html>")
    header = struct.pack(">2I5B", 100_000, 100_000, 8, 2, 0, 0, 0)
    crc = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    (folder / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + header + crc + data[33:])
    (folder / "eio.png").symlink_to("/proc/self/mem")  # opens, and gives an input/output error
    return ["cut.png", "flipped.png", "empty.jpg", "text.jpg", "bomb.png", "eio.png"]


def test_every_bad_file_is_one_row_and_all_others_are_answered(run, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    good(folder)
    names = bad(folder)
    os.mkfifo(tmp_path / "pipe.png")
    cut(make_video(tmp_path / "clip.mp4"), 0.4)
    outright = [tmp_path / "pipe.png", tmp_path / "clip.mp4", tmp_path / "gone.png", tmp_path / ("n" * 300)]
    told = predicted(run, outright[0], folder, *outright[1:], "--output", tmp_path / "p", code=2)
    found = rows(tmp_path / "p")
    broken = {row["image"]: row["error"] for row in found if "error" in row}
    assert set(broken) == {str(folder / name) for name in names} | {str(path) for path in outright}
    answered = [row for row in found if "error" not in row]
    assert len(answered) == GOOD == len({row["image"] for row in answered})
    assert all(len(row["top"]) == 3 for row in answered)
    assert all(os.path.getsize(file) > 0 for row in answered for file in row["files"])
    assert len({file for row in answered for file in row["files"]}) == GOOD
    lines = [line for line in told.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == len(broken) == len(found) - GOOD
    assert len(told.stdout.splitlines()) == GOOD
    assert not set(map(chr, [*range(10), *range(11, 32), 0x202E])) & set(told.output)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("out\nof memory"), OSError(5, "Input/output")])
def test_whatever_goes_wrong_with_an_image_is_told_in_its_row(run, tmp_path, monkeypatch, error):
    for number in range(3):
        write_image(tmp_path / "i" / f"{number}.png", make_image(number))
    infer = Classification.infer

    def failing(self, forward, images, options):
        for image in images:
            if image[-1, -1, 0] == 20:
                raise error
            yield from infer(self, forward, [image], options)

    monkeypatch.setattr(Classification, "infer", failing)
    predicted(run, tmp_path / "i", "--output", tmp_path / "p", code=2)
    assert ["error" in row for row in rows(tmp_path / "p")] == [False, True, False]
    assert "1.png" in rows(tmp_path / "p")[1]["error"]


def test_the_answer_is_kept_where_its_image_cannot_be_drawn(run, tmp_path, monkeypatch):
    write_image(tmp_path / "a.png", make_image(1))
    monkeypatch.setattr(Classification, "draw", lambda *_: np.zeros((2, 1_000_001, 3), "uint8"))
    predicted(run, tmp_path / "a.png", "--output", tmp_path / "p", code=2)
    (row,) = rows(tmp_path / "p")
    assert "no PNG has 1000001 x 2 pixels" in row["error"]
    assert len(row["top"]) == 3
    assert row["files"] == []


def test_a_sliver_is_refused_by_pose_before_it_takes_the_memory(tmp_path):
    write_image(tmp_path / "sliver.png", make_image(1, (1, 40000)))
    told = predicted(
        made("openpose", tmp_path / "run"), tmp_path / "sliver.png", "--output", tmp_path / "p", code=2
    )
    assert "sliver.png: an image of 40000 x 1 pixels would be enlarged to 2560000 x 64" in told.stderr


def test_the_same_call_again_leaves_its_results_out(run, tmp_path):
    folder = tmp_path / "images [x]"
    for number in range(3):
        write_image(folder / f"{number}.png", make_image(number))
    for names in ([folder], [f"{folder}/*.png"], [f"{folder}/**/*.png"]):
        for _ in range(2):
            predicted(run, *names, "--output", folder / "results")
            assert [row["image"] for row in rows(folder / "results")] == [
                str(folder / f"{n}.png") for n in range(3)
            ]
    assert "left out: 3 images in" in predicted(run, folder, "--output", folder / "results").stderr
    told = predicted(run, folder, "--output", folder, code=2)
    assert "holds the images themselves" in told.stderr
    told = predicted(run, folder, folder / "results", "--output", folder / "results", code=2)
    assert "holds the images themselves" in told.stderr


def test_rows_of_before_stay_until_all_new_ones_are_there(run, tmp_path, monkeypatch):
    monkeypatch.setattr(
        video, "_open_capture", lambda cv2, number: cv2.VideoCapture(str(make_video(tmp_path / "c.mp4")))
    )
    write_image(tmp_path / "a.png", make_image(1))
    predicted(run, tmp_path / "a.png", "--output", tmp_path / "p")
    before, read = rows(tmp_path / "p"), Camera._read

    def stopped(self):
        if self.frames_read == 2:
            raise KeyboardInterrupt
        return read(self)

    monkeypatch.setattr(Camera, "_read", stopped)
    told = predicted(run, "camera:0", "--output", tmp_path / "p", code=130)
    assert rows(tmp_path / "p") == before
    new = (tmp_path / "p" / "predictions.partial.jsonl").read_text().splitlines()
    assert [json.loads(line)["frame"] for line in new] == [0, 1]
    assert "predictions.jsonl is that of before; the rows until here are in" in told.stderr


def test_twenty_thousand_nearest_are_told_in_full_and_drawn_in_part(tmp_path):
    folder = made("siamese", tmp_path / "run")
    write_image(tmp_path / "a.png", make_image(1))
    images, random = tmp_path / "images", np.random.default_rng(0).random((20_000, 6), "float32")
    images.mkdir()
    for number in range(len(random)):
        os.link(tmp_path / "a.png", images / f"{number}.png")
    mark = mark_of(tmp_path / "a.png")
    entries = {f"{number}.png": Entry(mark, embedding) for number, embedding in enumerate(random)}
    contents = Contents(images, embedder_digest(open_run(folder)), entries, ())
    write_contents(contents, tmp_path / "index.npz")
    arguments = ["--index", tmp_path / "index.npz", "--top", 20_000, "--output", tmp_path / "p"]
    told = predicted(folder, tmp_path / "a.png", *arguments)
    (row,) = rows(tmp_path / "p")
    assert len(row["nearest"]) == 20_000
    assert told.stdout.endswith(", and 19980 more\n")
    assert os.path.getsize(row["files"][-1]) > 0


def test_one_image_given_twice_is_told_how_to_mend(tmp_path):
    run = made("siamese", tmp_path / "run")
    write_image(tmp_path / "a.png", make_image(1))
    told = predicted(run, tmp_path / "a.png", tmp_path / "a.png", "--output", tmp_path / "p", code=2)
    assert f"compares 2 different images, and there is only {tmp_path / 'a.png'}; give 2, or" in told.stderr
    told = predicted(
        run, tmp_path / "a.png", make_video(tmp_path / "b.mp4"), "--output", tmp_path / "p", code=2
    )
    assert "b.mp4 is a video; give 2 images" in told.stderr


def test_clicks_own_errors_and_names_cannot_command_the_terminal(run, tmp_path):
    for arguments in (["list", "\x1b[31m"], ["show", "\x1b[31m"]):
        told = CliRunner().invoke(main, arguments)
        assert told.exit_code == 2
        assert "[31m" in told.output
        assert "\x1b" not in told.output


def test_without_overlays_only_the_rows_are_written(run, tmp_path):
    (tmp_path / "in").mkdir()
    write_image(tmp_path / "in" / "a.png", make_image(1))
    make_video(tmp_path / "in" / "b.mp4")
    predicted(run, tmp_path / "in", "--no-overlay", "--output", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["predictions.jsonl"]
    told = rows(tmp_path / "out")
    assert all(row["files"] == [] and row["height"] for row in told)
    assert {row["image"].rpartition("/")[2] for row in told} == {"a.png", "b.mp4"}


@pytest.mark.parametrize(
    ("device", "line"),
    [("tpu", "unknown device 'tpu'"), ("gpu", "unknown device"), ("gpu:7", "sees no gpu:7")],
)
def test_a_device_that_is_not_there(run, tmp_path, device, line, monkeypatch):
    monkeypatch.setattr(backend, "devices", lambda: ["cpu:0"])
    write_image(tmp_path / "a.png", make_image(1))
    told = predicted(run, tmp_path / "a.png", "--device", device, "--output", tmp_path / "out", code=2)
    assert line in told.stderr
    assert not (tmp_path / "out").exists()


def test_on_the_cpu(run, tmp_path, monkeypatch):
    monkeypatch.setattr(backend, "devices", lambda: ["cpu:0"])
    write_image(tmp_path / "a.png", make_image(1))
    predicted(run, tmp_path / "a.png", "--device", "cpu", "--output", tmp_path / "out")
    assert len(rows(tmp_path / "out")) == 1


def test_batches_give_the_rows_that_single_images_give(run, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for number in range(7):
        write_image(tmp_path / "in" / f"{number}.png", make_image(number))
    (tmp_path / "in" / "3.png").write_bytes(b"no image")
    sizes = []
    forward = backend.forward

    def counted(network):
        run_once = forward(network)
        return lambda x: sizes.append(len(x)) or run_once(x)

    monkeypatch.setattr(backend, "forward", counted)
    for most in (1, 4):
        predicted(run, tmp_path / "in", "--batch-size", most, "--output", tmp_path / f"out{most}", code=2)
    single, batched = rows(tmp_path / "out1"), rows(tmp_path / "out4")
    assert sizes == [1] * 6 + [3, 3]  # a broken file is in the first group of four
    for one, other in zip(single, batched, strict=True):
        assert one["image"] == other["image"]
        assert ("error" in one) == ("error" in other)
        if "error" not in one:
            chances = [[best["probability"] for best in row["top"]] for row in (one, other)]
            np.testing.assert_allclose(*chances, atol=1e-6)
