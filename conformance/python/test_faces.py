"""One secret in four dialects: what each of the vendors' clients reads after each thing that can happen to a version, on Spaces of each
home. The table is written into docs/faces.md by KEEPHOLD_UPDATE=1; without it the table must be as it stands there."""

import json
import os
import re
import socket
import subprocess
from pathlib import Path

import boto3
import hvac
import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from botocore.exceptions import ClientError
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import secretmanager

from conftest import BIN, environment

DOCUMENT = Path(__file__).parents[2] / "docs" / "faces.md"
DOMAIN = "vault.keephold.internal"  # of keephold dev
HOMES = {"vault": "secret", "aws": "aws/000000000000/us-east-1", "gcp": "gcp/dev", "azure": "azure/dev"}


class Keep:
    """A keep in which a Space of each home is exposed in every other dialect, and the vendors' clients of it."""

    def __init__(self, ready):
        self.ready = ready
        self.port = self.ready["addr"].rsplit(":", 1)[1]
        self.vault = hvac.Client(url=self.ready["addr"], token=self.ready["token"])
        self.expose()

    def expose(self, *more):
        for home, space in HOMES.items():
            for dialect, face in {"aws": f"aws:000000000000/{home}-1", "gcp": f"gcp:{home}-project", "azure": f"azure:{home}-vault"}.items():
                if dialect != home:
                    self.keephold("expose", space, "--as", face, *more)

    def keephold(self, *args):
        subprocess.run([BIN, *args], check=True, capture_output=True, env=dict(environment(), KEEPHOLD_ADDR=self.ready["addr"], KEEPHOLD_TOKEN=self.ready["token"]))

    def aws(self, home):
        return boto3.client("secretsmanager", region_name="us-east-1" if home == "aws" else f"{home}-1")

    def google(self):
        return secretmanager.SecretManagerServiceClient(client_options=ClientOptions(api_endpoint=self.ready["env"]["gcp"]["GCP_SECRETMANAGER_ENDPOINT"]))

    def azure(self, home):
        name = "dev" if home == "azure" else f"{home}-vault"
        return SecretClient(f"https://{name}.{DOMAIN}:{self.port}", ManagedIdentityCredential(client_id=os.environ["AZURE_CLIENT_ID"]))

    @staticmethod
    def secret(home, name):
        return f"projects/{'dev' if home == 'gcp' else home + '-project'}/secrets/{name}"


@pytest.fixture(scope="module")
def keep(clouds):
    patch = pytest.MonkeyPatch()
    k = Keep(clouds)
    for dialect in ("aws", "gcp", "azure"):
        for name, value in k.ready["env"][dialect].items():
            patch.setenv(name, value)
    resolve = socket.getaddrinfo  # the names of vaults are the DNS's business: here they are this machine
    patch.setattr(socket, "getaddrinfo", lambda host, *a, **b: resolve("127.0.0.1" if str(host).endswith(DOMAIN) else host, *a, **b))
    yield k
    patch.undo()
    k.expose("--remove")


# Each home's own client makes the secret and its two versions, and deletes it.


def write(keep, home, name, text):
    match home:
        case "vault":
            keep.vault.secrets.kv.v2.create_or_update_secret(path=name, secret={"value": text})
        case "aws" if text == "one":
            keep.aws(home).create_secret(Name=name, SecretString=text)
        case "aws":
            keep.aws(home).put_secret_value(SecretId=name, SecretString=text)
        case "gcp":
            if text == "one":
                keep.google().create_secret(parent="projects/dev", secret_id=name, secret={"replication": {"automatic": {}}})
            keep.google().add_secret_version(parent=keep.secret(home, name), payload={"data": text.encode()})
        case "azure":
            keep.azure(home).set_secret(name, text)


def delete(keep, home, name):
    match home:
        case "vault":
            keep.vault.secrets.kv.v2.delete_latest_version_of_secret(path=name)
        case "aws":
            keep.aws(home).delete_secret(SecretId=name)
        case "gcp":
            keep.google().delete_secret(name=keep.secret(home, name))
        case "azure":
            keep.azure(home).begin_delete_secret(name).wait()


# What only one dialect has words for is said through its face.


def rollback(keep, home, name):
    c = keep.aws(home)
    versions = c.list_secret_version_ids(SecretId=name, IncludeDeprecated=True)["Versions"]
    holder = next(v["VersionId"] for v in versions if "AWSCURRENT" in v.get("VersionStages", []))
    other = next(v["VersionId"] for v in versions if v["VersionId"] != holder)
    c.update_secret_version_stage(SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=other, RemoveFromVersionId=holder)


def disable(keep, home, name):
    keep.google().disable_secret_version(name=keep.secret(home, name) + "/versions/2")


def destroy(keep, home, name):
    keep.google().destroy_secret_version(name=keep.secret(home, name) + "/versions/2")


def pending(keep, home, name):
    keep.aws(home).put_secret_value(SecretId=name, SecretString="three", VersionStages=["AWSPENDING"])


ACTS = {"rollback": rollback, "disable": disable, "delete": delete, "destroy": destroy, "pending": pending}


# How each vendor's client reads the newest version, or the error it gives.


def read_vault(keep, home, name):
    try:
        return keep.vault.secrets.kv.v2.read_secret_version(path=name, mount_point=HOMES[home], raise_on_deleted_version=True)["data"]["data"]["value"]
    except hvac.exceptions.VaultError as e:
        return f"{type(e).__name__}"


def read_aws(keep, home, name):
    try:
        return keep.aws(home).get_secret_value(SecretId=name)["SecretString"]
    except ClientError as e:
        return e.response["Error"]["Code"]


def read_gcp(keep, home, name):
    try:
        return keep.google().access_secret_version(name=keep.secret(home, name) + "/versions/latest").payload.data.decode()
    except GoogleAPICallError as e:
        return e.grpc_status_code.name


def read_azure(keep, home, name):
    try:
        return keep.azure(home).get_secret(name).value
    except HttpResponseError as e:
        return (e.error.innererror or {}).get("code") or e.error.code


READERS = {"vault": read_vault, "aws": read_aws, "gcp": read_gcp, "azure": read_azure}


def text(answer):
    """A map of one value, as the Vault dialect writes it, is its value here."""
    try:
        return json.loads(answer)["value"]
    except (ValueError, TypeError, KeyError):
        return answer


def outcome(keep, home, act, name):
    for value in ("one", "two"):
        write(keep, home, name, value)
    for reader, read in READERS.items():
        assert text(read(keep, home, name)) == "two", f"{reader} reads what {home} wrote"
    try:
        ACTS[act](keep, home, name)
    except GoogleAPICallError as e:
        return [f"refused: {e.grpc_status_code.name}"] + [text(read(keep, home, name)) for read in READERS.values()]
    return ["done"] + [text(read(keep, home, name)) for read in READERS.values()]


def test_what_each_dialect_reads(keep):
    lines = ["| Home | What happens to version 2 | | " + " | ".join(f"read by {r}" for r in READERS) + " |", "| --- " * (3 + len(READERS)) + "|"]
    for home in HOMES:
        for act in ACTS:
            lines.append(f"| {home} | {act} | " + " | ".join(outcome(keep, home, act, f"golden-{act}")) + " |")
    table = "\n".join(lines) + "\n"
    document = DOCUMENT.read_text()
    marks = re.compile(r"(<!-- table of faces -->\n).*?(<!-- end -->)", re.S)
    assert marks.search(document), "docs/faces.md has no place for the table"
    new = marks.sub(lambda m: m[1] + table + m[2], document)
    if os.environ.get("KEEPHOLD_UPDATE"):
        DOCUMENT.write_text(new)
        return
    assert new == document, f"docs/faces.md has another table than this keep gives:\n{table}"
