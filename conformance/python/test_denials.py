"""One developer, four dialects, one protected Space: the same is refused in each, and each refusal is recorded alike.

The table is made by this test and kept in denials.txt; KEEPHOLD_UPDATE=1 writes it anew."""

import json
import os
import pathlib
import subprocess

import boto3
import hvac
import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from botocore.exceptions import ClientError
from google.api_core.exceptions import GoogleAPICallError
from google.auth.transport.requests import AuthorizedSession
from google.oauth2 import service_account

from conftest import BIN, environment, stop

GOLDEN = pathlib.Path(__file__).parent / "denials.txt"
SPACE = "azure/dev"

# Wildcards: whatever a developer may do elsewhere, a protected Space is reached by rules that spell its name only.
DEVELOPER = "\n".join(
    f'path "+/+/{word}/*" {{ capabilities = ["create", "read", "update", "delete", "list"] }}' for word in ("data", "metadata", "delete", "undelete", "destroy", "policy")
)


class Keep:
    def __init__(self, directory):
        self.directory = directory
        self.process = subprocess.Popen(
            [BIN, "dev", "--json", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(), cwd=directory
        )
        self.ready = json.loads(self.process.stdout.readline())
        self.env = environment() | {"KEEPHOLD_ADDR": self.ready["addr"], "KEEPHOLD_TOKEN": self.ready["token"]}

    def run(self, *args, text=None):
        return subprocess.run([BIN, *args], input=text, env=self.env, cwd=self.directory, check=True, capture_output=True, text=True).stdout

    def identity(self, name, kind, *more):
        out = self.directory / (name + ".out")
        self.run("identity", "create", name, "--as", kind, "--policy", "developer", "--out", str(out), *more)
        return out

    def variables(self, out):
        return dict(line.split("=", 1) for line in out.read_text().splitlines())


@pytest.fixture(scope="module")
def keep(tmp_path_factory):
    k = Keep(tmp_path_factory.mktemp("denials"))
    try:
        k.run("policy", "write", "developer", "-", text=DEVELOPER)
        k.run("expose", SPACE, "--as", "aws:000000000000/eu-west-1")
        k.run("expose", SPACE, "--as", "gcp:production")
        k.run("put", SPACE + "/db", "--not-secret", "v=1")
        hvac.Client(url=k.ready["addr"], token=k.ready["token"]).adapter.post(f"/v1/sys/mounts/{SPACE}/tune", json={"protected": True})
        yield k
    finally:
        stop(k.process)


def aws(keep):
    e = keep.variables(keep.identity("aws-developer", "aws-key"))
    c = boto3.client(
        "secretsmanager", region_name="eu-west-1", endpoint_url=keep.ready["addr"], aws_access_key_id=e["AWS_ACCESS_KEY_ID"], aws_secret_access_key=e["AWS_SECRET_ACCESS_KEY"]
    )
    return {
        "read": lambda: c.get_secret_value(SecretId="db"),
        "write": lambda: c.put_secret_value(SecretId="db", SecretString="x"),
        "describe": lambda: c.describe_secret(SecretId="db"),
        "list": c.list_secrets,
        "delete": lambda: c.delete_secret(SecretId="db"),
    }


def google(keep):
    key = keep.identity("google-developer", "gcp-sa", "--home", "dev")
    session = AuthorizedSession(service_account.Credentials.from_service_account_file(key, scopes=["https://www.googleapis.com/auth/cloud-platform"]))
    base = keep.ready["addr"] + "/v1/projects/production/secrets"

    def call(verb, path, **more):
        answer = session.request(verb, base + path, **more)
        if answer.status_code >= 400:
            raise GoogleAPICallError(answer.json()["error"]["status"])

    return {
        "read": lambda: call("GET", "/db/versions/latest:access"),
        "write": lambda: call("POST", "/db:addVersion", json={"payload": {"data": "eA=="}}),
        "describe": lambda: call("GET", "/db"),
        "list": lambda: call("GET", ""),
        "delete": lambda: call("DELETE", "/db"),
    }


def azure(keep):
    e = keep.variables(keep.identity("azure-developer", "azure-user"))
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        os.environ[name] = e[name]
    ca = keep.ready["env"]["azure"]["REQUESTS_CA_BUNDLE"]
    c = SecretClient(keep.ready["env"]["azure"]["AZURE_KEYVAULT_URL"], ManagedIdentityCredential(), verify_challenge_resource=False, connection_verify=ca, retry_total=0)
    return {
        "read": lambda: c.get_secret("db"),
        "write": lambda: c.set_secret("db", "x"),
        "describe": lambda: list(c.list_properties_of_secret_versions("db")),
        "list": lambda: list(c.list_properties_of_secrets()),
        "delete": lambda: c.begin_delete_secret("db"),
    }


def vault(keep):
    root = hvac.Client(url=keep.ready["addr"], token=keep.ready["token"])
    token = root.auth.token.create(policies=["developer"])["auth"]["client_token"]
    kv = hvac.Client(url=keep.ready["addr"], token=token).secrets.kv.v2
    return {
        "read": lambda: kv.read_secret_version("db", mount_point=SPACE, raise_on_deleted_version=True),
        "write": lambda: kv.create_or_update_secret("db", {"v": "2"}, mount_point=SPACE),
        "describe": lambda: kv.read_secret_metadata("db", mount_point=SPACE),
        "list": lambda: kv.list_secrets("", mount_point=SPACE),
        "delete": lambda: kv.delete_latest_version_of_secret("db", mount_point=SPACE),
    }


def refusal(call):
    """What a client is told."""
    try:
        call()
    except ClientError as e:
        return e.response["Error"]["Code"]
    except HttpResponseError as e:
        return f"{e.status_code} {e.error.code}"
    except hvac.exceptions.VaultError as e:
        return type(e).__name__
    except GoogleAPICallError as e:
        return e.message
    return "allowed"


def test_the_same_is_refused_in_every_dialect(keep, monkeypatch):
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, "")
    lines, kept = [], {}
    for dialect, clients in (("vault", vault), ("aws", aws), ("gcp", google), ("azure", azure)):
        for operation, call in clients(keep).items():
            told = refusal(call)
            record = last(keep, dialect)
            lines.append(f"{operation:9} {dialect:6} {told:24} {record}")
            # Vault's delete takes away a version, AWS's and Azure's the secret for a while, Google's for good: other acts, decided alike.
            kept.setdefault(operation, set()).add(record.replace("refusal trash", "refusal delete").replace("refusal remove", "refusal delete") if operation == "delete" else record)
    lines.sort()
    table = "\n".join(lines) + "\n"
    if os.environ.get("KEEPHOLD_UPDATE"):
        GOLDEN.write_text(table)
    assert table == GOLDEN.read_text()
    assert {operation: len(records) for operation, records in kept.items()} == dict.fromkeys(kept, 1), table


def last(keep, dialect):
    """The newest refusal of the audit log, without what differs with each run."""
    records = [json.loads(line) for line in keep.run("audit", "tail", "--json").splitlines()]
    r = [r for r in records if r["kind"] == "refusal"][-1]
    assert r["from"]["dialect"] == dialect, r
    what = r["what"]
    return " ".join([r["kind"], r["action"], what["space"], what.get("path", "") or "-", what["capability"], str(r["decision"]["allowed"]), r["decision"]["reason"]])
