"""A project's code, unchanged, sees the same settings under its old .env and under keephold run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

KEEPHOLD = os.environ["KEEPHOLD_BIN"]

APP = '''
import json, os, sys
from decouple import config
from dotenv import load_dotenv
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

load_dotenv()


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_", env_file=".env", extra="ignore")
    database_url: str
    secret_key: SecretStr
    debug: bool = False
    hosts: list[str] = []


def everything():
    s = Settings()
    return {
        "database_url": s.database_url, "key": s.secret_key.get_secret_value(), "debug": s.debug, "hosts": s.hosts,
        "smtp": config("SMTP_PASSWORD"), "port": config("PORT", cast=int), "dsn": os.getenv("SENTRY_DSN"),
    }


app = FastAPI()


@app.get("/health")
def health():
    return {"hosts": Settings().hosts}


if sys.argv[1:] == ["wait"]:
    print("ready", flush=True)
    sys.stdin.readline()
print(json.dumps([everything(), TestClient(app).get("/health").json()], sort_keys=True))
'''

DOTENV = """# settings of the shop
SHOP_DATABASE_URL=postgres://shop@localhost/shop
SHOP_SECRET_KEY="s3cr#t \\"quoted\\" and a \\\\ backslash"
SHOP_DEBUG=yes
SHOP_HOSTS=["a","b"]
SMTP_PASSWORD='canary-smtp-0412'
PORT=25
SENTRY_DSN=https://key@sentry.example/1
"""


@pytest.fixture
def project(tmp_path):
    """A project directory with a space in its name, and a keep of its own."""
    root = tmp_path / "shop app"
    (root / "app").mkdir(parents=True)
    (root / "app" / "main.py").write_text(APP)
    (root / ".env").write_text(DOTENV)
    (root / ".git").mkdir()  # keephold.toml is looked for up to here
    env = {k: v for k, v in os.environ.items() if not k.startswith(("KEEPHOLD_", "VAULT_"))}
    env.update(XDG_DATA_HOME=str(tmp_path / "data"), XDG_CONFIG_HOME=str(tmp_path / "config"), XDG_CACHE_HOME=str(tmp_path / "cache"), NO_COLOR="1", CI="true")
    return root, env


def run(project, *args, **kw):
    root, env = project
    return subprocess.run(args, cwd=root, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, **kw)


def test_same_settings_and_nothing_in_plain_text(project):
    root, _ = project
    before = run(project, sys.executable, "app/main.py")
    assert before.returncode == 0, before.stderr
    for step in (["init", "--yes"], ["import", ".env", "--shred"], ["check"]):
        done = run(project, KEEPHOLD, *step)
        assert done.returncode == 0, done.stderr
        assert "canary-smtp-0412" not in done.stdout + done.stderr
    after = run(project, KEEPHOLD, "run", "--", sys.executable, "app/main.py")
    assert after.returncode == 0, after.stderr
    assert json.loads(after.stdout) == json.loads(before.stdout)
    for path in Path(root).parent.rglob("*"):
        if path.is_file():
            assert b"canary-smtp-0412" not in path.read_bytes(), path


def test_the_childs_exit_code_and_missing_program(project):
    assert run(project, KEEPHOLD, "init", "--yes").returncode == 0
    assert run(project, KEEPHOLD, "import", ".env").returncode == 0
    assert run(project, KEEPHOLD, "run", "--", "sh", "-c", "exit 7").returncode == 7
    assert run(project, KEEPHOLD, "run", "--", "no-such-program-here").returncode == 127


# What may stand in plain text only where somebody asked for it: in the environment of the program that runs.
PLANTED = ["canary-smtp-0412", "s3cr#t", "key@sentry.example"]


def search(*directories):
    """The files below the directories that hold a planted value."""
    return [str(p) for d in directories for p in Path(d).rglob("*") if p.is_file() and any(v.encode() in p.read_bytes() for v in PLANTED)]


def command_lines():
    """The arguments of every process that may be looked at."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            pass  # it has ended


def test_the_transcript_leaves_nothing_in_plain_text(project, tmp_path):
    """The first ten minutes, typed into a shell that keeps a history; then everything is searched for the values."""
    root, env = project
    env.update(HOME=str(tmp_path), HISTFILE=str(tmp_path / ".bash_history"), KEEPHOLD=KEEPHOLD, PYTHON=sys.executable, PYTHONDONTWRITEBYTECODE="1")
    (tmp_path / "dsn").write_text("https://key@sentry.example/2")
    script = """
set -o history
"$KEEPHOLD" init --yes
"$KEEPHOLD" import .env
"$KEEPHOLD" diff .env && echo identical
"$KEEPHOLD" import .env --shred
"$KEEPHOLD" check
"$KEEPHOLD" set SENTRY_DSN < "$HOME/dsn"
rm "$HOME/dsn"
"$KEEPHOLD" list
"$KEEPHOLD" explain SMTP_PASSWORD
"$KEEPHOLD" set SMTP_PASSWORD --personal --generate alnum:20
"$KEEPHOLD" unset SMTP_PASSWORD --personal
"$KEEPHOLD" env new prod --from dev --protect
"$KEEPHOLD" diff dev prod
"$KEEPHOLD" __complete get S
"$KEEPHOLD" run --redact --no-pty -- sh -c 'echo $SMTP_PASSWORD; echo $SMTP_PASSWORD >&2'
history -a
"""
    done = run(project, "bash", "-c", script)
    assert "identical" in done.stdout, done.stderr
    for value in PLANTED:
        assert value not in done.stdout + done.stderr
    assert "SMTP_PASSWORD" in (tmp_path / ".bash_history").read_text()  # it is a history
    assert "SMTP_PASSWORD" in "".join(str(p.read_text()) for p in (tmp_path / "cache").rglob("*") if p.is_file())
    for more in ([], ["--redact", "--no-pty"], ["--secrets-dir", "--secrets-on-disk"]):
        child = subprocess.Popen(
            [KEEPHOLD, "run", *more, "--", sys.executable, "app/main.py", "wait"] if not more or more[0] == "--redact" else [KEEPHOLD, "run", *more, "--", "sh", "-c", "echo ready; read x"],
            cwd=root, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        assert child.stdout.readline().strip() == "ready"
        lines = list(command_lines())
        assert any("app/main.py" in line or "read x" in line for line in lines)  # it is looked for in the right place
        assert not [line for line in lines if any(v in line for v in PLANTED)]
        if not more:
            assert b"canary-smtp-0412" in Path(f"/proc/{child.pid}/environ").read_bytes()
        child.communicate("go on\n", timeout=60)
        assert child.returncode == 0
    assert search(tmp_path) == []


def test_in_a_narrow_place(project, tmp_path):
    """Spaces in the path, nothing written at home but in the XDG directories, no git, no colour, CI without a terminal."""
    root, env = project
    home, tools = tmp_path / "home of somebody", tmp_path / "tools"
    home.mkdir()
    tools.mkdir()
    for name in ("sh", "env"):
        (tools / name).symlink_to(shutil.which(name))
    env.update(HOME=str(home), PATH=str(tools), NO_COLOR="1", CI="true")
    home.chmod(0o555)
    try:
        for step in (["init", "--yes"], ["import", ".env", "--shred"], ["check"], ["list"], ["explain", "PORT"], ["env", "lint", ".env"], ["doctor"]):
            done = run(project, KEEPHOLD, *step)
            assert done.returncode == 0 or step == ["doctor"], done.stderr
            assert "\x1b" not in done.stdout + done.stderr, step
        done = run(project, KEEPHOLD, "run", "--", "env")
        assert "SMTP_PASSWORD=canary-smtp-0412" in done.stdout
        assert run(project, KEEPHOLD, "set", "SMTP_PASSWORD").returncode in (64, 65)  # no terminal, nothing on stdin: it does not hang
        assert list(home.rglob("*")) == []
    finally:
        home.chmod(0o755)
