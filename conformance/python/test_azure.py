"""azure-keyvault-secrets and azure-identity, unchanged, against the Azure dialect of `dev`: settings come from the environment alone."""

import datetime
import json
import subprocess
import uuid

import hvac
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import ClientSecretCredential, DefaultAzureCredential, EnvironmentCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

from conftest import BIN, environment, stop


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    process = subprocess.Popen(
        [BIN, "dev", "--json", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(), cwd=tmp_path_factory.mktemp("azure")
    )
    yield json.loads(process.stdout.readline())
    stop(process)


@pytest.fixture(autouse=True)
def azure(ready, monkeypatch):
    for name, value in ready["env"]["azure"].items():
        monkeypatch.setenv(name, value)
    return ready["env"]["azure"]


@pytest.fixture
def client(azure):
    return SecretClient(vault_url=azure["AZURE_KEYVAULT_URL"], credential=DefaultAzureCredential())


@pytest.fixture
def name():
    return "s-" + uuid.uuid4().hex


def test_set_and_get_in_any_spelling(client, name):
    made = client.set_secret(name.upper(), "s3cr3t", content_type="text/plain", tags={"team": "shop"})
    assert made.value == "s3cr3t" and len(made.properties.version) == 32
    got = client.get_secret(name)
    assert (got.value, got.name, got.properties.content_type, got.properties.tags) == ("s3cr3t", name.upper(), "text/plain", {"team": "shop"})
    assert got.properties.enabled and got.properties.recoverable_days == 90 and got.properties.recovery_level == "Recoverable+Purgeable"


def test_versions(client, name):
    first = client.set_secret(name, "one")
    second = client.set_secret(name, "two")
    assert client.get_secret(name).properties.version == second.properties.version
    assert client.get_secret(name, first.properties.version).value == "one"
    assert {v.version for v in client.list_properties_of_secret_versions(name)} == {first.properties.version, second.properties.version}


def test_properties_change_without_the_value(client, name):
    client.set_secret(name, "x", tags={"a": "1"})
    end = datetime.datetime(2031, 1, 1, tzinfo=datetime.timezone.utc)
    p = client.update_secret_properties(name, expires_on=end, not_before=end - datetime.timedelta(days=1), tags={"b": "2"}, content_type="c")
    assert (p.expires_on, p.tags, p.content_type) == (end, {"b": "2"}, "c")
    assert client.get_secret(name).value == "x", "exp and nbf inform, they never block"


def test_disabled(client, name):
    version = client.set_secret(name, "x").properties.version
    client.update_secret_properties(name, version, enabled=False)
    with pytest.raises(HttpResponseError) as e:
        client.get_secret(name)
    assert e.value.status_code == 403 and e.value.error.innererror["code"] == "SecretDisabled"
    client.update_secret_properties(name, version, enabled=True)
    assert client.get_secret(name).value == "x"
    client.set_secret(name, "y", enabled=False)
    with pytest.raises(HttpResponseError):
        client.get_secret(name)


def test_listing_in_pages(client):
    names = {f"page-{uuid.uuid4().hex}" for _ in range(60)}
    for n in names:
        client.set_secret(n, "x")
    assert names <= {s.name for s in client.list_properties_of_secrets()}
    pages = list(client.list_properties_of_secrets(max_page_size=7).by_page())
    assert all(len(list(p)) <= 7 for p in pages) and len(pages) >= 9


def test_delete_recover_purge(client, name):
    version = client.set_secret(name, "x").properties.version
    deleted = client.begin_delete_secret(name).result()
    assert deleted.recovery_id.endswith("/deletedsecrets/" + name) and deleted.scheduled_purge_date > deleted.deleted_date
    with pytest.raises(ResourceNotFoundError):
        client.get_secret(name)
    with pytest.raises(ResourceExistsError) as e:
        client.set_secret(name, "y")
    assert e.value.error.innererror["code"] == "ObjectIsDeletedButRecoverable"
    assert client.get_deleted_secret(name).name == name
    assert name in [s.name for s in client.list_deleted_secrets()]
    client.begin_recover_deleted_secret(name).wait()
    got = client.get_secret(name)
    assert (got.value, got.properties.version) == ("x", version)
    client.begin_delete_secret(name).wait()
    client.purge_deleted_secret(name)
    with pytest.raises(ResourceNotFoundError):
        client.get_deleted_secret(name)


def test_backup_and_restore(client, name):
    first = client.set_secret(name, "one").properties.version
    client.set_secret(name, "two")
    backup = client.backup_secret(name)
    with pytest.raises(ResourceExistsError):
        client.restore_secret_backup(backup)
    client.begin_delete_secret(name).wait()
    client.purge_deleted_secret(name)
    client.restore_secret_backup(backup)
    assert client.get_secret(name).value == "two" and client.get_secret(name, first).value == "one"
    with pytest.raises(HttpResponseError):
        client.restore_secret_backup(backup[:-4] + b"abcd")


def test_unknown(client, name):
    with pytest.raises(ResourceNotFoundError) as e:
        client.get_secret(name)
    assert e.value.error.code == "SecretNotFound"


def test_credentials_of_every_kind(azure, client, name, monkeypatch):
    client.set_secret(name, "x")
    client_id, key = azure["IDENTITY_HEADER"].split(".", 1)
    url = azure["AZURE_KEYVAULT_URL"]
    assert SecretClient(url, ManagedIdentityCredential(client_id=client_id)).get_secret(name).value == "x"
    assert SecretClient(url, ManagedIdentityCredential()).get_secret(name).value == "x"
    monkeypatch.setenv("AZURE_CLIENT_SECRET", key)
    assert SecretClient(url, EnvironmentCredential()).get_secret(name).value == "x"
    with pytest.raises(ClientAuthenticationError):
        SecretClient(url, ClientSecretCredential("adfs", client_id, "wrong")).get_secret(name)


def made(ready, name, tmp_path, *more):
    """The environment of an identity that `keephold identity create` just made."""
    out = tmp_path / (name + ".env")
    env = environment() | {"KEEPHOLD_ADDR": ready["addr"], "KEEPHOLD_TOKEN": ready["token"]}
    subprocess.run([BIN, "identity", "create", name, "--policy", "reader", "--out", str(out), *more], env=env, check=True, capture_output=True)
    return dict(line.split("=", 1) for line in out.read_text().splitlines())


@pytest.fixture
def root(ready):
    c = hvac.Client(url=ready["addr"], token=ready["token"])
    c.sys.create_or_update_policy("reader", 'path "azure/dev/data/*" { capabilities = ["read"] }')
    return c


def test_a_user_assigned_identity_is_selected_by_its_client_id(ready, root, azure, client, name, tmp_path, monkeypatch):
    client.set_secret(name, "x")
    one, other = (made(ready, name + end, tmp_path, "--as", "azure-user") for end in ("-one", "-other"))
    url = azure["AZURE_KEYVAULT_URL"]
    for identity in (one, other):
        monkeypatch.setenv("IDENTITY_HEADER", identity["IDENTITY_HEADER"])
        assert SecretClient(url, ManagedIdentityCredential(client_id=identity["AZURE_CLIENT_ID"])).get_secret(name).value == "x"
        assert SecretClient(url, DefaultAzureCredential(managed_identity_client_id=identity["AZURE_CLIENT_ID"])).get_secret(name).value == "x"
    # The header of one host does not give the identity of another, whoever is asked for.
    for wanted in (one["AZURE_CLIENT_ID"], "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(ClientAuthenticationError):
            SecretClient(url, ManagedIdentityCredential(client_id=wanted)).get_secret(name)
    # Each is its own name in the audit log.
    read = subprocess.run(
        [BIN, "audit", "tail", "--json"], env=environment() | {"KEEPHOLD_ADDR": ready["addr"], "KEEPHOLD_TOKEN": ready["token"]}, check=True, capture_output=True, text=True
    ).stdout
    readers = {r["who"]["name"] for r in map(json.loads, read.splitlines()) if r["action"] == "read" and r["what"].get("path") == name}
    assert readers == {name + "-one", name + "-other"}


@pytest.mark.parametrize("owner", ["space", "identity"])
def test_a_system_assigned_identity_ends_with_its_owner(ready, root, azure, client, name, owner, tmp_path, monkeypatch):
    client.set_secret(name, "x")
    if owner == "space":
        root.sys.enable_secrets_engine("kv", path=name, options={"version": "2"})
    else:
        made(ready, name + "-host", tmp_path, "--as", "azure-user")
    owned = f"space:{name}" if owner == "space" else f"identity:{name}-host"
    mine = made(ready, name + "-app", tmp_path, "--as", "azure-system", "--owner", owned)
    monkeypatch.setenv("IDENTITY_HEADER", mine["IDENTITY_HEADER"])
    monkeypatch.delenv("AZURE_CLIENT_ID")
    app = SecretClient(azure["AZURE_KEYVAULT_URL"], ManagedIdentityCredential())
    assert app.get_secret(name).value == "x"
    if owner == "space":
        root.sys.disable_secrets_engine(name)
    else:
        env = environment() | {"KEEPHOLD_ADDR": ready["addr"], "KEEPHOLD_TOKEN": ready["token"]}
        subprocess.run([BIN, "identity", "delete", name + "-host", "--yes"], env=env, check=True, capture_output=True)
    with pytest.raises((HttpResponseError, ClientAuthenticationError)):  # the token that it has ends too
        app.get_secret(name)
    with pytest.raises(ClientAuthenticationError):
        ManagedIdentityCredential().get_token("https://vault.azure.net/.default")
    # Who is made again under the owner's name is somebody else, and owns nothing.
    if owner == "space":
        root.sys.enable_secrets_engine("kv", path=name, options={"version": "2"})
    else:
        made(ready, name + "-host", tmp_path, "--as", "azure-user")
    with pytest.raises(ClientAuthenticationError):
        ManagedIdentityCredential().get_token("https://vault.azure.net/.default")


def test_read_by_hvac(ready, client, name):
    """One secret, two dialects: the path is the name, folded."""
    import requests

    client.set_secret(name.upper(), "shared")
    r = requests.get(f"{ready['addr']}/v1/azure/dev/data/{name}", headers={"X-Vault-Token": ready["token"]})
    assert r.status_code == 200 and r.json()["data"]["data"] == {"value": "shared"}
