"""Tokens, AppRole and userpass."""

import uuid

import hvac
import pytest

HARD = "7d5ea3d8f0b94e4c9a6b1c2f8e7d3a5940b1"


def test_token_life(keep, root):
    made = root.auth.token.create(policies=["dev"], ttl="1h", meta={"team": "shop"}, display_name="web", num_uses=0)["auth"]
    token, accessor = made["client_token"], made["accessor"]
    assert made["lease_duration"] == 3600 and made["renewable"] and set(made["policies"]) == {"default", "dev"}
    seen = root.auth.token.lookup(token)["data"]
    assert seen["id"] == token and seen["meta"] == {"team": "shop"} and seen["display_name"] == "token-web" and not seen["orphan"]
    assert root.auth.token.lookup_accessor(accessor)["data"]["id"] == ""
    own = keep.client(token)
    assert own.auth.token.lookup_self()["data"]["accessor"] == accessor
    assert own.auth.token.renew_self(increment="30m")["auth"]["lease_duration"] == 1800
    assert root.auth.token.renew(token, increment="20m")["auth"]["client_token"] == token
    assert root.auth.token.renew_accessor(accessor)["auth"]["client_token"] == ""
    assert accessor in root.auth.token.list_accessors()["data"]["keys"]
    root.auth.token.revoke(token)
    assert not own.is_authenticated()
    with pytest.raises(hvac.exceptions.Forbidden):
        root.auth.token.lookup(token)


def test_token_tree(keep, root):
    root.sys.create_or_update_policy("maker", 'path "auth/token/create" { capabilities = ["update"] }')
    parent = keep.client(keep.token(policies=["maker"]))
    child = keep.client(parent.auth.token.create()["auth"]["client_token"])
    root.auth.token.revoke_and_orphan_children(parent.token)
    assert child.is_authenticated() and not parent.is_authenticated()
    grandchild = keep.client(child.auth.token.create()["auth"]["client_token"])
    child.auth.token.revoke_self()
    assert not grandchild.is_authenticated()
    orphan = root.auth.token.create_orphan(policies=["dev"])["auth"]
    assert orphan["orphan"]
    root.auth.token.revoke_accessor(orphan["accessor"])
    assert not keep.client(orphan["client_token"]).is_authenticated()


def test_limited_and_batch_tokens(keep, root):
    twice = keep.client(keep.token(policies=["default"], num_uses=2))
    twice.auth.token.lookup_self()
    twice.auth.token.lookup_self()
    assert not twice.is_authenticated()
    batch = root.auth.token.create(policies=["dev"], type="batch", ttl="10m")["auth"]
    assert batch["token_type"] == "batch" and not batch["renewable"]
    assert keep.client(batch["client_token"]).auth.token.lookup_self()["data"]["type"] == "batch"
    with pytest.raises(hvac.exceptions.InvalidRequest):
        root.auth.token.renew(batch["client_token"])


def test_token_roles(root):
    root.auth.token.create_or_update_role("ci", allowed_policies=["dev"], orphan=True, token_period="1h", path_suffix="runner")
    role = root.auth.token.read_role("ci")["data"]
    assert role["allowed_policies"] == ["dev"] and role["orphan"] and role["token_period"] == 3600
    assert root.auth.token.list_roles()["data"]["keys"] == ["ci"]
    made = root.auth.token.create(role_name="ci", policies=["dev"])["auth"]["client_token"]
    assert root.auth.token.lookup(made)["data"]["path"] == "auth/token/create/ci/runner"
    with pytest.raises(hvac.exceptions.InvalidRequest):
        root.auth.token.create(role_name="ci", policies=["root"])
    root.auth.token.delete_role("ci")
    with pytest.raises(hvac.exceptions.InvalidPath):
        root.auth.token.read_role("ci")


def test_approle(keep, root):
    approle = root.auth.approle
    approle.create_or_update_approle("web", token_policies=["dev"], token_ttl="10m", token_max_ttl="1h", secret_id_num_uses=2, secret_id_ttl="5m")
    role = approle.read_role("web")["data"]
    assert role["token_policies"] == ["dev"] and role["token_ttl"] == 600 and role["secret_id_num_uses"] == 2 and role["bind_secret_id"]
    assert set(approle.list_roles()["data"]["keys"]) >= {"dev", "web"}
    approle.update_role_id("web", HARD)
    assert approle.read_role_id("web")["data"]["role_id"] == HARD
    made = approle.generate_secret_id("web", metadata={"host": "a"}, cidr_list=["127.0.0.0/8", "::1/128"])["data"]
    secret_id, accessor = made["secret_id"], made["secret_id_accessor"]
    uuid.UUID(secret_id)
    assert approle.list_secret_id_accessors("web")["data"]["keys"] == [accessor]
    seen = approle.read_secret_id("web", secret_id)["data"]
    assert seen["metadata"] == {"host": "a"} and seen["secret_id_num_uses"] == 2 and seen["secret_id_accessor"] == accessor
    for _ in range(2):
        signed = keep.client().auth.approle.login(role_id=HARD, secret_id=secret_id)["auth"]
        assert signed["metadata"] == {"host": "a", "role_name": "web"} and signed["lease_duration"] == 600
    with pytest.raises(hvac.exceptions.InvalidRequest, match="invalid role or secret ID"):
        keep.client().auth.approle.login(role_id=HARD, secret_id=secret_id)
    custom = HARD[::-1]
    approle.create_custom_secret_id("web", custom)
    assert keep.client().auth.approle.login(role_id=HARD, secret_id=custom)["auth"]["client_token"]
    approle.destroy_secret_id("web", custom)
    other = approle.generate_secret_id("web")["data"]
    assert approle.read_secret_id_accessor("web", other["secret_id_accessor"])["data"]["secret_id_num_uses"] == 2
    approle.destroy_secret_id_accessor("web", other["secret_id_accessor"])
    with pytest.raises(hvac.exceptions.InvalidRequest):
        keep.client().auth.approle.login(role_id=HARD, secret_id=other["secret_id"])
    approle.delete_role("web")
    with pytest.raises(hvac.exceptions.InvalidPath):
        approle.read_role("web")


def test_wrapped_secret_id(keep, root):
    wrapped = root.auth.approle.generate_secret_id("dev", wrap_ttl="60s")
    assert "data" not in wrapped or wrapped["data"] is None
    opened = keep.client(wrapped["wrap_info"]["token"]).sys.unwrap()
    assert keep.client().auth.approle.login(role_id=keep.role_id, secret_id=opened["data"]["secret_id"])["auth"]["client_token"]
    with pytest.raises((hvac.exceptions.InvalidRequest, hvac.exceptions.Forbidden)):
        keep.client(wrapped["wrap_info"]["token"]).sys.unwrap()


def test_userpass(keep, root):
    root.sys.enable_auth_method("userpass")
    users = root.auth.userpass
    users.create_or_update_user("Bob", "correct horse", policies=["dev"])
    assert users.list_user()["data"]["keys"] == ["bob"]
    assert users.read_user("bob")["data"]["token_policies"] == ["dev"]
    client = keep.client()
    signed = client.auth.userpass.login("bob", "correct horse")["auth"]
    assert signed["metadata"] == {"username": "bob"} and client.is_authenticated()
    texts = set()
    for name, password in (("bob", "wrong"), ("nobody", "wrong")):
        with pytest.raises(hvac.exceptions.InvalidRequest) as refused:
            keep.client().auth.userpass.login(name, password)
        texts.add(tuple(refused.value.errors))
    assert texts == {("invalid username or password",)}
    users.update_password_on_user("bob", "battery staple")
    with pytest.raises(hvac.exceptions.InvalidRequest):
        keep.client().auth.userpass.login("bob", "correct horse")
    assert keep.client().auth.userpass.login("bob", "battery staple")["auth"]["client_token"]
    users.delete_user("bob")
    with pytest.raises(hvac.exceptions.InvalidPath):
        users.read_user("bob")
    root.sys.disable_auth_method("userpass")
    assert not client.is_authenticated(), "a token outlived its mount"
