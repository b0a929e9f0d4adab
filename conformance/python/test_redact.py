"""The Python package masks what real logging and structlog programs write, tracebacks and extra fields included."""
import base64
import io
import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import structlog

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "integrations" / "python"))

from keephold_redact import RedactFilter, Redactor, sanitize_log_message, sanitize_processor  # noqa: E402

SECRET = "topsecret" + "1"


@pytest.mark.parametrize(
    "text, masked",
    [
        ("password=admin", "password=•••password•••"),
        ('{"password": "x"}', '{"password": "•••password•••"}'),
        ("api-key: 1", "api-key: •••api-key•••"),
        ("Authorization: Bearer abc", "Authorization: Bearer •••Authorization•••"),
        ("sk_test_a", "sk_test_•••key•••"),
        ('x password: "he said \\"hi\\" ok" z', 'x password: "•••password•••" z'),
        ("Error: secret: abc", "Error: secret: •••secret•••"),
        ("user=bob token = None", "user=bob token = None"),
        ("ghp" + "_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC03DlnVS", "•••github-token•••"),
    ],
)
def test_texts(text, masked):
    assert sanitize_log_message(text) == masked
    assert sanitize_log_message(masked) == masked


def test_structlog():
    out = io.StringIO()
    log = structlog.wrap_logger(
        structlog.PrintLogger(out), processors=[structlog.processors.add_log_level, sanitize_processor, structlog.processors.JSONRenderer()]
    )
    try:
        raise ValueError("password=" + SECRET)
    except ValueError as e:
        log.exception("failed with token=" + SECRET, password=SECRET, deep={"api_key": SECRET, "l": ["secret: " + SECRET]}, error=e)
    line = json.loads(out.getvalue())
    assert SECRET not in out.getvalue()
    assert line["password"] == "•••password•••" and "Traceback" in line["exception"]


def test_logging():
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(message)s %(password)s %(more)s"))
    handler.addFilter(RedactFilter(Redactor(values={"STRIPE_KEY": "plain-value-" + SECRET})))
    log = logging.Logger("program")
    log.addHandler(handler)
    try:
        raise ValueError("secret: " + SECRET)
    except ValueError:
        log.exception("hi %s plain-value-%s", {"token": SECRET}, SECRET, extra={"password": SECRET, "more": {"token": SECRET}})
    assert SECRET not in out.getvalue()
    assert "Traceback" in out.getvalue() and "•••STRIPE_KEY•••" in out.getvalue()


@pytest.mark.parametrize("value", ["v4lue-of-mine-77", 'p@ss w/ö"rd\nsecond line of it', " abc+/gh "])
def test_forms(value):
    redactor = Redactor(values={"MINE": value})
    around = [base64.b64encode((before + value + after).encode()).decode() for before in ("", "u:", "us:") for after in ("", ":t", ":ta")]
    for form in [value, json.dumps(value), repr(value), quote(value, safe=""), quote_plus(value), value.encode().hex(), *around]:
        masked = redactor.text("before " + form + " after")
        assert "•••MINE•••" in masked and value.strip() not in masked and masked.startswith("before ") and masked.endswith(" after"), form


@pytest.mark.parametrize("value", ["v4lue-of-mine-77", 'p@ss w/ö"rd\nsecond line of it'])
def test_forms_in_javascript(value):
    program = "const r = require(process.argv[1]).redactor({ values: { MINE: process.argv[2] } }); process.stdout.write(r.text(process.argv[3]))"
    around = [base64.b64encode((before + value + after).encode()).decode() for before in ("", "u:", "us:") for after in ("", ":t", ":ta")]
    for form in [value, json.dumps(value), quote(value, safe=""), value.encode().hex(), *around]:
        masked = subprocess.run(["node", "-e", program, str(ROOT / "integrations/javascript"), value, form], check=True, capture_output=True, text=True).stdout
        assert "•••MINE•••" in masked and value not in masked, form


def test_filter_of_something_else():
    with pytest.raises(TypeError, match="Redactor"):
        RedactFilter(["value"])


def test_pino(tmp_path):
    assert shutil.which("npm"), "npm is not here"
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "pino@9"], cwd=tmp_path, check=True)
    program = tmp_path / "program.js"
    program.write_text(
        "const { pinoOptions } = require(process.argv[2]); const log = require('pino')(pinoOptions()); const s = process.argv[3]\n"
        "log.info({ password: s, n: { api_key: s } }, 'token=' + s + ' %s', { secret: s })\n"
        "log.error(new Error('password=' + s)); log.error({ err: new Error('secret: ' + s) }, 'x'); log.child({ token: s }).info('child')\n",
        encoding="utf-8",
    )
    done = subprocess.run(["node", program, ROOT / "integrations" / "javascript", SECRET], capture_output=True, text=True, check=True, encoding="utf-8")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 4 and SECRET not in done.stdout
