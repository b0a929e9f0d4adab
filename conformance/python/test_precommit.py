"""The pre-commit framework, unchanged, with a configuration in which only `repo:` and `rev:` name us: the hooks of gitleaks and detect-secrets."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import BIN, environment

ROOT = Path(__file__).parents[2]


def go(name):
    return subprocess.run(["go", "env", name], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def hooks(tmp_path_factory):
    """A clone of this repository as the framework would fetch it, and a revision of it."""
    clone = tmp_path_factory.mktemp("hooks") / "keephold"
    subprocess.run(["git", "clone", "-q", "--no-local", f"file://{ROOT}", str(clone)], check=True)
    return clone, subprocess.run(["git", "-C", str(clone), "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def project(hooks, tmp_path_factory):
    clone, revision = hooks
    home = tmp_path_factory.mktemp("pre-commit")
    # What has been downloaded and built already is not fetched again: the framework gives Go a place of its own for it otherwise.
    env = dict(environment(), PRE_COMMIT_HOME=str(home), GOMODCACHE=go("GOMODCACHE"), GOCACHE=go("GOCACHE"), CGO_ENABLED="0")
    directory = tmp_path_factory.mktemp("project")

    def run(*args, status=0):
        done = subprocess.run(args, cwd=directory, env=env, capture_output=True, text=True)
        assert status is None or done.returncode == status, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    run("git", "init", "-q", ".")
    run("git", "config", "user.email", "a@example.org")
    run("git", "config", "user.name", "a")
    (directory / ".pre-commit-config.yaml").write_text(
        f"""repos:
- repo: {clone}
  rev: {revision}
  hooks:
  - id: gitleaks
  - id: detect-secrets
    args: ['--baseline', '.secrets.baseline']
"""
    )
    (directory / "app.py").write_text("print('hello')\n")
    run("git", "add", "-A")
    (directory / ".secrets.baseline").write_text(run(BIN, "detect-secrets", "scan").stdout)
    run("git", "add", "-A")
    run(sys.executable, "-m", "pre_commit", "install")
    return directory, run


def test_a_clean_commit_passes(project):
    _, run = project
    done = run("git", "commit", "-qm", "first")
    said = done.stdout + done.stderr
    assert said.count("Passed") == 2, said


def test_a_leak_is_held_back(project):
    directory, run = project
    key = "AKIA" + "QYLPMN5HFIQR7XYA"  # made up
    (directory / "deploy.py").write_text(f'aws_access_key_id = "{key}"\n')
    run("git", "add", "deploy.py")
    done = run("git", "commit", "-qm", "second", status=1)
    said = done.stdout + done.stderr
    assert said.count("Failed") == 2 and "deploy.py" in said, said
    assert key not in said, "the hooks show no secret"
    assert run("git", "log", "--oneline").stdout.count("\n") == 1
