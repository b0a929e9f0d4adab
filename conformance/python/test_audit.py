"""The interactive audit of detect-secrets at a terminal: the original and ours get the same answers, and show and write the same."""

import itertools
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from conftest import BIN, environment

ORIGINAL = [sys.executable, "-m", "detect_secrets"]
OURS = [BIN, "detect-secrets"]
ENV = dict(environment(), TERM="xterm", NO_COLOR="1", PYTHONIOENCODING="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    top = tmp_path_factory.mktemp("audit")
    (top / "a.py").write_text("x = 1\npassword = 'hunter2hunter2'\n" + "y = 2\n" * 9 + 'key = "' + "AKIA" + 'QYLPMN5HFIQR7XYA"\n')  # made up
    (top / "b.ini").write_text("[db]\napi_key = 'q1w2e3r4t5y6u7'\n")
    (top / "url.txt").write_text("postgres://shop:s3cr3tw0rd@db.example.org/shop\n")
    made = subprocess.run([*ORIGINAL, "scan", "--all-files"], cwd=top, env=ENV, capture_output=True, text=True, check=True)
    (top / "base.json").write_text(made.stdout)
    assert made.stdout.count('"hashed_secret"') >= 4, made.stdout
    return top


def play(command, directory, answers):
    """Answers each question, and returns what was on the screen and what the baseline is."""
    child = pexpect.spawn(command[0], [*command[1:], "audit", "base.json"], cwd=str(directory), env=ENV, timeout=60, encoding="utf-8", dimensions=(50, 200))
    screen = ""
    for answer in itertools.chain(answers, itertools.repeat("q")):
        if child.expect([r"\(q\)uit:? ?", pexpect.EOF]) == 1:
            break
        screen += child.before + child.after
        child.sendline(answer)
    screen += child.before
    child.close()
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\x1bc", "", screen).replace("\r\n", "\n"), (directory / "base.json").read_text(), child.exitstatus


@pytest.mark.parametrize("answers", ["yyyy", "nnnnn", "ynsq", "q", "nbyy", "nnbbys", "sssss", "nxzyq", "ybnbsyn"], ids=repr)
def test_same_answers_same_baseline(project, tmp_path, answers):
    seen = []
    for command in (ORIGINAL, OURS):
        directory = Path(shutil.copytree(project, tmp_path / str(len(seen))))
        screen, baseline, status = play(command, directory, answers)
        seen.append((screen, re.sub(r'"generated_at": "[^"]*"', "", baseline), status))
    original, ours = seen
    assert ours[1] == original[1], "the baselines differ"
    assert ours[2] == original[2], "the exit codes differ"
    assert ours[0] == original[0], "the screens differ"


def test_what_is_judged_is_not_asked_again(project, tmp_path):
    directory = Path(shutil.copytree(project, tmp_path / "again"))
    play(OURS, directory, "nnnnnnnn")
    for command in (ORIGINAL, OURS):
        done = subprocess.run([*command, "audit", "base.json"], cwd=directory, env=ENV, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert (done.returncode, done.stdout) == (0, "Nothing to audit!\n"), done.stderr
