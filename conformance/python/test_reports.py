"""Reports as their readers want them: SARIF against the official schema, JUnit against what its readers have in common, of clean, leaking and incomplete scans."""

import json
import subprocess
import xml.etree.ElementTree
from pathlib import Path

import pytest
import xmlschema
from jsonschema import Draft4Validator

from conftest import BIN, environment

SCHEMA = Path(__file__).parents[1] / "javascript/node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json"
TOKEN = "ghp" + "_aB3dE6gH9jK2mN5qR8tV1xY4zC7fG0iLaB3d"  # made up
JUNIT = Path(__file__).with_name("junit.xsd")
MESSAGE = "ghp" + "_zB3dE6gH9jK2mN5qR8tV1xY4zC7fG0iLaB3e"


@pytest.fixture(scope="module")
def valid():
    return Draft4Validator(json.loads(SCHEMA.read_text())).validate


@pytest.fixture(scope="module")
def repositories(tmp_path_factory):
    top = tmp_path_factory.mktemp("reports")

    def git(*args):
        subprocess.run(["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org", *args], check=True, capture_output=True, cwd=top)

    for name, text in (("clean", "nothing\n"), ("leaking", f"é = 1; token = '{TOKEN}'\n")):
        git("init", "-q", name)
        directory = top / name / "=dir: a#b%c"
        directory.mkdir()
        (directory / "ä [1].txt").write_text(text)
        git("-C", name, "add", "-A")
        git("-C", name, "commit", "-qm", f"first {MESSAGE}" if name == "leaking" else "first")
    git("-C", "clean", "commit", "-q", "--allow-empty", "-m", "second")
    git("clone", "-q", "--depth", "1", f"file://{top}/clean", "incomplete")
    return top


def scan(top, kind, form, *more):
    return subprocess.run([BIN, *more, "git", str(top / kind), "-f", form] + (["-r", "-"] if "gitleaks" in more else []), env=environment(), capture_output=True, text=True)


@pytest.mark.parametrize("kind,status", [("clean", 0), ("leaking", 10), ("incomplete", 11)])
def test_sarif(valid, repositories, kind, status):
    done = scan(repositories, kind, "sarif", "scan")
    assert done.returncode == status, done.stderr
    log = json.loads(done.stdout)
    valid(log)
    (run,) = log["runs"]
    assert len(run["results"]) == (2 if kind == "leaking" else 0)
    assert run["invocations"][0]["executionSuccessful"] == (kind != "incomplete")
    assert bool(run["invocations"][0]["toolExecutionNotifications"]) == (kind == "incomplete")
    assert TOKEN not in done.stdout and MESSAGE not in done.stdout


@pytest.mark.parametrize("kind,status", [("clean", 0), ("leaking", 1)])
def test_sarif_of_gitleaks(valid, repositories, kind, status):
    done = scan(repositories, kind, "sarif", "gitleaks")
    assert done.returncode == status, done.stderr
    valid(json.loads(done.stdout))


def test_a_schema_that_refuses(valid, repositories):
    log = json.loads(scan(repositories, "leaking", "sarif", "scan").stdout)
    log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    with pytest.raises(Exception, match="minimum"):
        valid(log)


@pytest.mark.parametrize("kind", ["clean", "leaking", "incomplete"])
def test_junit(repositories, kind):
    report = scan(repositories, kind, "junit", "scan").stdout
    xmlschema.validate(report, JUNIT)
    suites = xml.etree.ElementTree.fromstring(report)
    (suite,) = suites
    cases = list(suite)
    assert (suites.tag, suite.tag) == ("testsuites", "testsuite")
    assert int(suite.get("tests")) == len(cases) == {"clean": 0, "leaking": 2, "incomplete": 1}[kind]
    assert int(suite.get("failures")) == sum(c.find("failure") is not None for c in cases)
    assert int(suite.get("errors")) == sum(c.find("error") is not None for c in cases) == (kind == "incomplete")
    for number in [suite, *cases]:
        float(number.get("time"))


def test_a_schema_of_junit_that_refuses(repositories):
    report = scan(repositories, "leaking", "junit", "scan").stdout
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        xmlschema.validate(report.replace(' time="0"', ' time=""'), JUNIT)
