"""What the clouds' own clients stored is pulled by `keephold pull`, and read here by the same clients: tags and labels come with it."""

import json
import subprocess

import boto3
import pytest
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
from google.api_core.client_options import ClientOptions
from google.cloud import secretmanager

from conftest import BIN, Keep, environment, stop


@pytest.fixture
def here(tmp_path):
    process = subprocess.Popen([BIN, "dev", "--json", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(), cwd=tmp_path)
    yield json.loads(process.stdout.readline())
    stop(process)


def pull(here, there, dialect, *args, tmp_path):
    env = {**environment(), **there["env"][dialect], "KEEPHOLD_ADDR": here["addr"], "KEEPHOLD_TOKEN": here["token"], "HOME": str(tmp_path)}
    if dialect == "gcp":
        env["SSL_CERT_FILE"] = there["ca_file"]
    done = subprocess.run([BIN, "pull", *args], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture
def vendor(monkeypatch):
    """The clients of one keep, each from that keep's environment."""

    def at(ready):
        for dialect in ("aws", "azure"):
            for name, value in ready["env"][dialect].items():
                monkeypatch.setenv(name, value)
        return ready["env"]

    return at


def test_tags_come_from_aws(clouds, here, vendor, tmp_path):
    vendor(clouds)
    boto3.session.Session().client("secretsmanager").create_secret(Name="tagged/db", SecretString="x", Tags=[{"Key": "Team", "Value": "shop & co"}, {"Key": "cost:centre", "Value": ""}])
    pull(here, clouds, "aws", "aws://000000000000/us-east-1/tagged/", tmp_path=tmp_path)
    pull(here, clouds, "aws", "aws://000000000000/us-east-1/tagged/", "secret/from-aws", tmp_path=tmp_path)
    vendor(here)
    assert boto3.session.Session().client("secretsmanager").describe_secret(SecretId="tagged/db")["Tags"] == [{"Key": "Team", "Value": "shop & co"}, {"Key": "cost:centre", "Value": ""}]
    there = Keep(here["addr"], True, here["token"]).root().secrets.kv.v2.read_secret_metadata("from-aws/db")["data"]
    assert there["custom_metadata"] == {"Team": "shop & co", "cost:centre": ""}


def test_tags_come_from_azure_with_each_version(clouds, here, vendor, tmp_path):
    env = vendor(clouds)["azure"]
    client = SecretClient(env["AZURE_KEYVAULT_URL"], DefaultAzureCredential())
    client.set_secret("tagged", "one", tags={"team": "shop"})
    pull(here, clouds, "azure", "azure://dev/tagged", tmp_path=tmp_path)
    client.set_secret("tagged", "two", tags={"team": "ops", "tier": "1"})
    pull(here, clouds, "azure", "azure://dev/tagged", tmp_path=tmp_path)
    env = vendor(here)["azure"]
    client = SecretClient(env["AZURE_KEYVAULT_URL"], DefaultAzureCredential())
    got = client.get_secret("tagged")
    assert (got.value, got.properties.tags) == ("two", {"team": "ops", "tier": "1"})
    tags = {v.version: v.tags for v in client.list_properties_of_secret_versions("tagged")}
    assert sorted(map(json.dumps, tags.values())) == ['{"team": "ops", "tier": "1"}', '{"team": "shop"}']


def test_labels_come_from_google(clouds, here, tmp_path, monkeypatch):
    env = clouds["env"]["gcp"]
    name = "projects/dev/secrets/tagged"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", env["GOOGLE_APPLICATION_CREDENTIALS"])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", clouds["ca_file"])
    client = secretmanager.SecretManagerServiceClient(transport="rest", client_options=ClientOptions(api_endpoint=env["GCP_SECRETMANAGER_ENDPOINT"]))
    client.create_secret(parent="projects/dev", secret_id="tagged", secret={"replication": {"automatic": {}}, "labels": {"team": "shop", "tier": "one"}})
    client.add_secret_version(parent=name, payload={"data": b"x"})
    pull(here, clouds, "gcp", "gcp://dev/tagged", tmp_path=tmp_path)
    there = Keep(here["addr"], True, here["token"]).root().secrets.kv.v2.read_secret_metadata("tagged", mount_point="gcp/dev")["data"]
    assert there["custom_metadata"] == {"team": "shop", "tier": "one"}


def test_custom_metadata_comes_from_a_vault(clouds, here, tmp_path):
    kv = Keep(clouds["addr"], True, clouds["token"]).root().secrets.kv.v2
    kv.create_or_update_secret("tagged/app", {"password": "x"})
    kv.update_metadata("tagged/app", custom_metadata={"owner": "shop"})
    address = "vault://" + clouds["addr"].split("://")[1] + "/secret/tagged/"
    pull(here, {"env": {"vault": {"VAULT_ADDR": clouds["addr"], "VAULT_TOKEN": clouds["token"]}}}, "vault", address, "secret/from-vault", tmp_path=tmp_path)
    there = Keep(here["addr"], True, here["token"]).root().secrets.kv.v2.read_secret_metadata("from-vault/app")["data"]
    assert there["custom_metadata"] == {"owner": "shop"}
    # One that is here keeps its own.
    kv.create_or_update_secret("tagged/app", {"password": "y"})
    kv.update_metadata("tagged/app", custom_metadata={"owner": "ops"})
    pull(here, {"env": {"vault": {"VAULT_ADDR": clouds["addr"], "VAULT_TOKEN": clouds["token"]}}}, "vault", address, "secret/from-vault", tmp_path=tmp_path)
    got = Keep(here["addr"], True, here["token"]).root().secrets.kv.v2.read_secret_version("from-vault/app", raise_on_deleted_version=True)["data"]
    assert (got["data"], got["metadata"]["custom_metadata"]) == ({"password": "y"}, {"owner": "shop"})
