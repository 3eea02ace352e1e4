#!/usr/bin/env python3
"""Runs the shell blocks of a document and compares what they print with what the document says.

    docs.py [--alone] FILE…

A block ```sh run is run by bash in an empty folder, which all blocks of all files share. `exit=N` behind it is the exit code that it must
have; `retry=N` runs it again for N seconds until it does what is written (right after Ready a gateway may say 404 for a moment); one with
`alone` is run when all others of all files are done, and only with --alone. A block ```text output right below it is all that it prints,
stdout and stderr: a line `…` stands for any number of lines, `…` in a line for any text, widths of gaps do not count. With `numbers`
every number stands for any other one.

Port 8080 and the name `quickstart` of the documents are DOCS_PORT and QUICKSTART_NAME here.
Exit codes: 0 all as written · 1 something is not.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

LIMIT = 1200  # seconds for one block


def blocks(text):
    """(line, info, body, words between it and the block before) of each fenced block."""
    found, opened, between = [], None, ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            if opened:
                found.append((*opened, between.strip()))
                opened, between = None, ""
            else:
                opened = [number, line[3:].split(), []]
        elif opened:
            opened[2].append(line)
        else:
            between += line
    return found


def tests(text):
    """(line, info, script, output or None) of each block that is to be run."""
    found = blocks(text)
    for at, (line, info, body, _) in enumerate(found):
        if info[:2] != ["sh", "run"]:
            continue
        output = None
        if at + 1 < len(found) and found[at + 1][1][:2] == ["text", "output"] and not found[at + 1][3]:
            output = found[at + 1]
        yield line, info[2:], "\n".join(body), output


def pattern(line, numbers):
    """One written line as a pattern."""
    parts = [re.escape(" ".join(part.split(" "))) for part in line.rstrip().split("…")]
    text = ".*".join(parts)
    text = re.sub(r"(\\ )+", r"\\s+", text)
    if numbers:
        text = re.sub(r"\d+m\\s\+\d+s|\d+(\\\.\d+)?", lambda _: r"[\d.]+(m\s+\d+)?", text)
    return re.compile(text + r"\s*$")


def differs(written, numbers, seen):
    """The first written line that is not there, or what is there beyond the last one; None: all as written."""
    any_before, at = False, 0
    for line in written:
        if line.strip() == "…":
            any_before = True
            continue
        wanted = pattern(line, numbers)
        if any_before:
            while at < len(seen) and not wanted.match(seen[at]):
                at += 1
        if at >= len(seen) or not wanted.match(seen[at]):
            return f"no line here: {line}" + (f"\ninstead: {seen[at]}" if at < len(seen) else "")
        any_before, at = False, at + 1
    if not any_before and at < len(seen):
        return f"more than is written: {seen[at]}"
    return None


def number(info, name, otherwise):
    """The N of `name=N`."""
    return next((int(word.split("=")[1]) for word in info if word.startswith(f"{name}=")), otherwise)


def run(script):
    """Exit code, and what was printed."""
    try:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired as late:
        return f"none within {LIMIT} s", (late.stdout or b"").decode(errors="replace")
    return done.returncode, done.stdout.decode(errors="replace")


def self_test():
    """A comparison that takes everything for equal would prove nothing."""
    same = [
        (["…", "a b", "…"], False, ["x", "a    b", "c"]),
        (["p50 … ms"], False, ["p50       9.1 ms"]),
        (["answer 21 × [11]"], True, ["answer    9 × [11]"]),
        (["100 in 1.2s"], True, ["100 in 1m 02s"]),
        ([], False, []),
    ]
    other = [
        (["a b"], False, ["a b", "c"]),
        (["a", "c"], False, ["a", "b", "c"]),
        (["…", "error[PORT_BUSY]: …"], False, ["error[PORT_FIXED]: x"]),
        (["answer 21 × [11]"], True, ["answer 21 × [x]"]),
        (["[1, 1]"], False, ["[1, 2]"]),
        (["[1, 1]"], False, []),
    ]
    assert all(differs(*case) is None for case in same), same
    assert all(differs(*case) is not None for case in other), other
    assert [test[1] for test in tests("```sh\na\n```\n```sh run exit=4\nb\n```\n")] == [["exit=4"]]


def main():
    arguments = sys.argv[1:]
    if arguments == ["--self-test"]:
        self_test()
        return 0
    alone = "--alone" in arguments
    port, name = os.environ.get("DOCS_PORT", "8080"), os.environ.get("QUICKSTART_NAME", "quickstart")

    def here(text):
        return re.sub(r"(127\.0\.0\.1|localhost):8080", rf"\1:{port}", text)

    def as_written(text):
        text = text.replace(f"127.0.0.1:{port}", "127.0.0.1:8080").replace(f" --name {name}", "")
        return re.sub(rf"(kind-|cluster ){re.escape(name)}\b", r"\1quickstart", text).replace(f"{name}-control-plane", "quickstart-control-plane")

    failed = ran = 0
    files = [argument for argument in arguments if not argument.startswith("--")]
    found = [(Path(file).name, list(tests(Path(file).read_text(encoding="utf-8")))) for file in files]
    first = [(name, [test for test in blocks_of if "alone" not in test[1]]) for name, blocks_of in found]
    last = [(name, [test for test in blocks_of if "alone" in test[1]]) for name, blocks_of in found]
    for file, of_file in first + last:
        for line, info, script, output in of_file:
            place = f"{file}:{line} {script.strip().splitlines()[0][:70]}"
            if "alone" in info and not alone:
                print(f"   left {place}: the run that this is a part of does it itself", file=sys.stderr)
                continue
            ran, began = ran + 1, time.monotonic()
            patience = number(info, "retry", 0)
            while True:
                code, said = run(here(script))
                said = as_written(said)
                problem = None if code == number(info, "exit", 0) else f"exit code {code}, {number(info, 'exit', 0)} expected"
                if problem is None and output is not None:
                    problem = differs(output[2], "numbers" in output[1], said.splitlines())
                if problem is None or time.monotonic() - began >= patience:
                    break
                time.sleep(1)
            took = time.monotonic() - began
            if problem is None:
                what = "as written" if output is not None else "exit code as written"
                print(f"   ok   {place} ({took:.1f} s, {what})", file=sys.stderr)
                continue
            failed += 1
            print(f"   FAIL {place} ({took:.1f} s)", file=sys.stderr)
            for text in [*problem.splitlines(), "it printed:", *said.splitlines()[-40:]]:
                print(f"        | {text}", file=sys.stderr)
            break  # what follows on the page builds on it
    print(f"   {ran} blocks run, {failed} not as written", file=sys.stderr)
    if ran == 0:
        print("   no block was run: nothing was proven", file=sys.stderr)
    return 1 if failed or ran == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
