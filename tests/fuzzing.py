"""Mutated files for every reader: `python -m tests.fuzzing --mutations 2000 [--reader NAME]`.

A reader is a function of `tests/fuzz_readers.py`. Each mutation is read in a child process that may take
`SECONDS` and `MEMORY`; what a reader may do with a mutated file is to return or to raise a `UserError`.
Prints a line per reader and one per failure, with the seed that makes the file again.
"""

import argparse
import multiprocessing
import re
import resource
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

SECONDS = 20
MEMORY = 1 << 30
"""Bytes by which a child may grow."""

NUMBERS = (b"0", b"-1", b"1e999", b"NaN", b"null", b"true", b'"x"', b"[]", b"{}", b"9" * 400, b'"\\ud800"')
"""What takes the place of numbers in text."""


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Return the bytes of a file after one to three random changes."""
    for _ in range(rng.integers(1, 4)):
        data = CHANGES[rng.integers(len(CHANGES))](data, rng)
    return data


def _flipped(data: bytes, rng: np.random.Generator) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    for place in rng.integers(len(data), size=rng.integers(1, 9)):
        changed[place] ^= 1 << rng.integers(8)
    return bytes(changed)


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: rng.integers(len(data) + 1)]


def _removed(data: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(len(data) + 1))
    return data[:start] + data[start + int(rng.integers(1, 64)) :]


def _repeated(data: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(len(data) + 1))
    return data[:start] + data[start : start + 64] * int(rng.integers(2, 50)) + data[start:]


def _extreme(data: bytes, rng: np.random.Generator) -> bytes:
    """Put an extreme number of four bytes somewhere, as in headers."""
    start = int(rng.integers(len(data) + 1))
    value = (0, 0x7FFFFFFF, 0xFFFFFFFF, 0x01000000, 0x00FFFFFF)[rng.integers(5)]
    return data[:start] + value.to_bytes(4, ("little", "big")[rng.integers(2)]) + data[start + 4 :]


def _other_token(data: bytes, rng: np.random.Generator) -> bytes:
    """Replace a number of a text by something else, or a token by another of the same file."""
    tokens = list(re.finditer(rb"-?[0-9.]+|\"[^\"]*\"|[\[\]{}:,]", data[:100_000]))
    if not tokens:
        return _flipped(data, rng)
    one, other = tokens[rng.integers(len(tokens))], tokens[rng.integers(len(tokens))]
    new = NUMBERS[rng.integers(len(NUMBERS))] if rng.integers(2) else other[0]
    return data[: one.start()] + new + data[one.end() :]


CHANGES: list[Callable[[bytes, np.random.Generator], bytes]] = [
    _flipped, _flipped, _cut, _removed, _repeated, _extreme, _other_token, _other_token,
]  # fmt: skip


def fuzz(name: str, seeds: range) -> list[str]:
    """Return a line per mutation at which a reader failed.

    Args:
        name: of a reader.
        seeds: one per mutation.
    """
    from kerazoo.errors import UserError
    from tests.fuzz_readers import READERS

    failures = []
    with tempfile.TemporaryDirectory() as scratch:
        original = Path(scratch, "original")
        original.mkdir()
        READERS[name].make(original)
        files = sorted(path for path in original.rglob("*") if path.is_file())
        for seed in seeds:
            rng, folder = np.random.default_rng([seed, len(name)]), Path(scratch, "mutated")
            shutil.copytree(original, folder)
            victim = folder / files[rng.integers(len(files))].relative_to(original)
            victim.write_bytes(mutated(victim.read_bytes(), rng))
            began = time.monotonic()
            try:
                READERS[name].read(folder)
            except UserError as error:
                if "\n" in str(error):
                    failures.append(f"{name} {seed}: an error of several lines")
            except BaseException:
                failures.append(f"{name} {seed} ({victim.name}): {traceback.format_exc(limit=-2)}")
            if time.monotonic() - began > SECONDS:
                failures.append(f"{name} {seed} ({victim.name}): took {time.monotonic() - began:.0f} s")
            shutil.rmtree(folder)
    return failures


def _child(name: str, seeds: range, answers: "multiprocessing.Queue") -> None:
    fuzz(name, range(1))  # imports what the reader needs, which may be more than what a file may take
    _guarded()
    for seed in seeds:
        answers.put((seed, None))
        for line in fuzz(name, range(seed, seed + 1)):
            answers.put((seed, line))
    answers.put((seeds.stop, None))


def _guarded() -> None:
    """Bound this process' memory and the time of one reading."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    signal.signal(signal.SIGALRM, signal.default_int_handler)


def _in_children(name: str, count: int) -> list[str]:
    """Run all mutations of a reader in children; one that hangs or dies is told and followed by another."""
    lines: list[str] = []
    start = 0
    while start < count:
        answers: multiprocessing.Queue = multiprocessing.Queue()
        child = multiprocessing.Process(target=_child, args=(name, range(start, count), answers))
        child.start()
        seed = start
        while seed < count:
            try:
                seed, line = answers.get(timeout=SECONDS + 10)
            except Exception:
                lines.append(f"{name} {seed}: no answer in {SECONDS + 10} s, or died")
                break
            lines += [line] if line else []
        start = seed + 1
        child.kill()
        child.join()
    return lines


def main() -> None:
    """Fuzz the readers that the command line names."""
    from tests.fuzz_readers import READERS

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mutations", type=int, default=2000)
    parser.add_argument("--reader", choices=sorted(READERS), action="append")
    asked = parser.parse_args()
    failed = 0
    for name in asked.reader or sorted(READERS):
        lines = _in_children(name, asked.mutations)
        failed += len(lines)
        print(f"{name}: {asked.mutations} mutations, {len(lines)} failures", flush=True)
        print("".join(f"  {line}\n" for line in lines[:10]), end="", flush=True)
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
