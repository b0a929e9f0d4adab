"""Policies, mounts, wrapping, namespaces, seal, keys, leases, quotas, audit, snapshot."""

import hvac
import pytest


def test_health(root):
    assert root.sys.read_health_status(method="GET")["initialized"]
    assert root.sys.read_health_status(method="HEAD").status_code == 200
    assert root.sys.is_initialized() and not root.sys.is_sealed()
    assert root.sys.read_leader_status()["ha_enabled"] is False
    assert root.seal_status["sealed"] is False


def test_policies(keep, root):
    text = 'path "secret/data/open/*" { capabilities = ["read"] }'
    root.sys.create_or_update_policy("open", text)
    assert root.sys.read_policy("open")["data"]["rules"] == text
    assert "open" in root.sys.list_policies()["data"]["policies"]
    assert root.sys.read_acl_policy("open")["data"]["policy"] == text
    assert "open" in root.sys.list_acl_policies()["data"]["keys"]
    token = keep.token(policies=["open"])
    assert root.sys.get_capabilities(["secret/data/open/x"], token=token)["data"]["capabilities"] == ["read"]
    assert keep.client(token).sys.get_capabilities(["secret/data/other"])["data"]["capabilities"] == ["deny"]
    root.secrets.kv.v2.create_or_update_secret("open/a", {"x": 1})
    root.secrets.kv.v2.create_or_update_secret("closed/a", {"x": 1})
    limited = keep.client(token).secrets.kv.v2
    assert limited.read_secret_version("open/a", raise_on_deleted_version=True)["data"]["data"] == {"x": 1}
    for refused in (
        lambda: limited.read_secret_version("closed/a", raise_on_deleted_version=True),
        lambda: limited.create_or_update_secret("open/a", {"x": 2}),
        lambda: limited.list_secrets("open"),
    ):
        with pytest.raises(hvac.exceptions.Forbidden):
            refused()
    with pytest.raises(hvac.exceptions.InvalidRequest):
        root.sys.create_or_update_policy("broken", 'path "x" {')
    root.sys.delete_policy("open")
    assert root.sys.list_policies()["data"]["policies"].count("open") == 0


def test_mounts(root):
    s = root.sys
    s.enable_secrets_engine("kv", path="m1", options={"version": "2"}, description="first")
    mounts = s.list_mounted_secrets_engines()["data"]
    assert mounts["m1/"]["type"] == "kv" and mounts["m1/"]["options"] == {"version": "2"} and mounts["secret/"]
    s.tune_mount_configuration("m1", description="second", default_lease_ttl="1h")
    assert s.read_mount_configuration("m1")["data"]["default_lease_ttl"] == 3600
    root.secrets.kv.v2.create_or_update_secret("a", {"x": 1}, mount_point="m1")
    s.move_backend("m1", "m2")
    read = root.secrets.kv.v2.read_secret_version("a", mount_point="m2", raise_on_deleted_version=True)
    assert read["data"]["data"] == {"x": 1}
    s.disable_secrets_engine("m2")
    with pytest.raises(hvac.exceptions.InvalidPath):
        root.secrets.kv.v2.read_secret_version("a", mount_point="m2", raise_on_deleted_version=True)


def test_sign_in_mounts(root):
    root.sys.enable_auth_method("approle", path="machines")
    root.sys.tune_auth_method("machines", default_lease_ttl="1h", max_lease_ttl="2h")
    assert root.sys.read_auth_method_tuning("machines")["data"]["default_lease_ttl"] == 3600
    assert root.sys.list_auth_methods()["data"]["machines/"]["type"] == "approle"
    root.auth.approle.create_or_update_approle("a", token_policies=["dev"], mount_point="machines")
    assert root.auth.approle.list_roles(mount_point="machines")["data"]["keys"] == ["a"]
    root.sys.disable_auth_method("machines")


def test_wrapping(keep, root):
    wrapped = root.sys.wrap({"a": "b"}, ttl=60)["wrap_info"]
    info = root.write_data("sys/wrapping/lookup", data={"token": wrapped["token"]})["data"]
    assert info["creation_ttl"] == 60 and info["creation_path"] == "sys/wrapping/wrap"
    assert keep.client(wrapped["token"]).sys.unwrap()["data"] == {"a": "b"}
    with pytest.raises((hvac.exceptions.InvalidRequest, hvac.exceptions.Forbidden)):
        root.sys.unwrap(wrapped["token"])
    again = root.sys.wrap({"a": "c"}, ttl=60)["wrap_info"]["token"]
    new = root.write_data("sys/wrapping/rewrap", data={"token": again})["wrap_info"]["token"]
    assert root.sys.unwrap(new)["data"] == {"a": "c"}
    with pytest.raises(hvac.exceptions.InvalidRequest):
        root.sys.unwrap(again)
    token = root.auth.token.create(policies=["dev"], wrap_ttl="60s")["wrap_info"]
    assert root.sys.unwrap(token["token"])["auth"]["accessor"] == token["wrapped_accessor"]


def test_namespaces(keep, root):
    root.sys.create_namespace("team")
    assert "team/" in root.sys.list_namespaces()["data"]["keys"]
    inside = keep.client(keep.root_token, namespace="team")
    inside.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
    inside.secrets.kv.v2.create_or_update_secret("a", {"x": "team"})
    with pytest.raises(hvac.exceptions.InvalidPath):
        root.secrets.kv.v2.read_secret_version("only-in-team", raise_on_deleted_version=True)
    assert root.read("team/secret/data/a")["data"]["data"] == {"x": "team"}
    accessor = inside.auth.token.create(policies=["default"])["auth"]["accessor"]
    with pytest.raises(hvac.exceptions.InvalidRequest):
        root.auth.token.lookup_accessor(accessor)
    assert inside.auth.token.lookup_accessor(accessor)["data"]["namespace_path"] == "team/"
    inside.sys.disable_secrets_engine("secret")
    root.sys.delete_namespace("team")


def test_keys_leases_quotas_audit(keep, root):
    s = root.sys
    term = s.get_encryption_key_status()["data"]["term"]
    s.rotate_encryption_key()
    assert s.get_encryption_key_status()["data"]["term"] == term + 1
    assert s.read_root_generation_progress()["started"] is False
    signed = keep.client().auth.approle.login(role_id=keep.role_id, secret_id=keep.secret_id)["auth"]["client_token"]
    lease = s.list_leases("auth/approle/login")["data"]["keys"]
    assert lease
    s.revoke_prefix("auth/approle/login")
    assert not keep.client(signed).is_authenticated()
    s.create_or_update_quota("q", rate=1000.0)
    assert s.read_quota("q")["data"]["rate"] == 1000
    s.delete_quota("q")
    assert s.list_enabled_audit_devices()["data"]
    assert root.write("sys/tools/random/16")["data"]["random_bytes"]


def test_snapshot(root):
    answer = root.sys.take_raft_snapshot()
    assert answer.status_code == 200 and len(answer.content) > 1000


def test_identity(root):
    made = root.secrets.identity.create_or_update_entity("shop", metadata={"team": "a"}, policies=["dev"])["data"]
    assert root.secrets.identity.read_entity(made["id"])["data"]["name"] == "shop"
    assert root.secrets.identity.read_entity_by_name("shop")["data"]["metadata"] == {"team": "a"}
    root.secrets.identity.delete_entity(made["id"])


def test_init_and_unseal(fresh):
    """A new server, by shares, with TLS: initialise, unseal share by share, seal, and open again after a restart."""
    client = hvac.Client(url=fresh.url, verify=fresh.ca)
    assert not client.sys.is_initialized() and client.sys.is_sealed()
    assert client.sys.read_health_status(method="GET").status_code == 501
    made = client.sys.initialize(secret_shares=5, secret_threshold=3)
    assert len(made["keys"]) == len(made["keys_base64"]) == 5
    assert client.sys.read_health_status(method="GET").status_code == 503
    with pytest.raises(hvac.exceptions.VaultDown):
        hvac.Client(url=fresh.url, verify=fresh.ca, token=made["root_token"]).secrets.kv.v2.read_secret_version("a", raise_on_deleted_version=True)
    assert client.sys.submit_unseal_key(made["keys"][0])["progress"] == 1
    assert client.sys.submit_unseal_key(reset=True)["progress"] == 0
    assert client.sys.submit_unseal_keys(made["keys_base64"][1:4])["sealed"] is False
    client.token = made["root_token"]
    client.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
    client.secrets.kv.v2.create_or_update_secret("kept", {"x": 1})
    client.sys.seal()
    assert client.sys.is_sealed()
    fresh.stop()
    fresh.start()
    assert client.sys.is_initialized() and client.sys.is_sealed()
    assert client.sys.submit_unseal_keys(made["keys"][:3])["sealed"] is False
    assert client.secrets.kv.v2.read_secret_version("kept", raise_on_deleted_version=True)["data"]["data"] == {"x": 1}
    with pytest.raises(hvac.exceptions.InvalidRequest, match="already initialized"):
        client.sys.initialize(secret_shares=1, secret_threshold=1)
