"""The files that CI systems read, against the schemas of those systems."""

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def check(schema, path, *more, status=0):
    done = subprocess.run([sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *more, str(path)], capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr


def test_the_action(tmp_path):
    check("github-actions", ROOT / "action.yml")
    broken = tmp_path / "action.yml"
    broken.write_text((ROOT / "action.yml").read_text().replace("using: composite", "using: magic"))
    check("github-actions", broken, status=1)


def test_the_component(tmp_path):
    """A component is two documents: what it takes, and the jobs."""
    spec, jobs = (ROOT / "templates/secret-scan/template.yml").read_text().split("\n---\n")
    for name, text, more in (("spec", spec, []), ("jobs", jobs, ["--data-transform", "gitlab-ci"])):
        path = tmp_path / f"{name}.yml"
        path.write_text(text)
        check("gitlab-ci", path, *more)
    inputs = yaml.safe_load(spec)["spec"]["inputs"]
    used = {word.split("]]")[0].strip().removeprefix("inputs.") for word in jobs.split("$[[")[1:]}
    assert used == set(inputs), "inputs that are declared and not used, or the other way round"
    for name, terms in inputs.items():
        assert set(terms) <= {"default", "description", "options", "regex", "type", "rules"}, name
