"""A project's code, unchanged, sees the same settings under its old .env and under keephold run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

KEEPHOLD = os.environ["KEEPHOLD_BIN"]

APP = '''
import json, os
from decouple import config
from dotenv import load_dotenv
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


print(json.dumps(everything(), sort_keys=True))
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
