"""Both key/value engines."""

import hvac
import pytest


@pytest.fixture
def kv(root):
    return root.secrets.kv.v2


def value(kv, path, **which):
    return kv.read_secret_version(path=path, raise_on_deleted_version=True, **which)["data"]


def test_versions(kv):
    assert kv.create_or_update_secret("v/a", {"x": 1})["data"]["version"] == 1
    assert kv.create_or_update_secret("v/a", {"x": 2, "y": [1, {"z": None}]}, cas=1)["data"]["version"] == 2
    assert value(kv, "v/a")["data"] == {"x": 2, "y": [1, {"z": None}]}
    assert value(kv, "v/a", version=1)["data"] == {"x": 1}
    with pytest.raises(hvac.exceptions.InvalidRequest, match="check-and-set parameter did not match the current version"):
        kv.create_or_update_secret("v/a", {"x": 3}, cas=1)
    assert kv.read_secret("v/a", raise_on_deleted_version=True)["data"]["metadata"]["version"] == 2


def test_patch(root, kv):
    kv.create_or_update_secret("v/patch", {"x": 1, "y": 2})
    kv.patch("v/patch", {"z": 3})  # hvac reads, changes and writes
    assert value(kv, "v/patch")["data"] == {"x": 1, "y": 2, "z": 3}
    merged = root.adapter.request("patch", "/v1/secret/data/v/patch", json={"data": {"y": None}}, headers={"Content-Type": "application/merge-patch+json"})
    assert merged["data"]["version"] == 3
    assert value(kv, "v/patch")["data"] == {"x": 1, "z": 3}
    with pytest.raises(hvac.exceptions.InvalidPath):
        kv.patch("v/nothing", {"a": 1})


def test_delete_undelete_destroy(kv):
    for n in range(3):
        kv.create_or_update_secret("v/gone", {"n": n})
    kv.delete_latest_version_of_secret("v/gone")
    with pytest.raises(hvac.exceptions.InvalidPath):
        value(kv, "v/gone")
    deleted = kv.read_secret_version("v/gone", raise_on_deleted_version=False)["data"]
    assert deleted["data"] is None and deleted["metadata"]["deletion_time"] != "" and not deleted["metadata"]["destroyed"]
    kv.undelete_secret_versions("v/gone", [3])
    assert value(kv, "v/gone")["data"] == {"n": 2}
    kv.delete_secret_versions("v/gone", [1, 2])
    kv.destroy_secret_versions("v/gone", [1])
    kv.undelete_secret_versions("v/gone", [1, 2])
    versions = kv.read_secret_metadata("v/gone")["data"]["versions"]
    assert versions["1"]["destroyed"] and not versions["2"]["destroyed"] and versions["2"]["deletion_time"] == ""
    kv.delete_metadata_and_all_versions("v/gone")
    with pytest.raises(hvac.exceptions.InvalidPath):
        kv.read_secret_metadata("v/gone")


def test_metadata(kv):
    kv.create_or_update_secret("v/meta", {"x": 1})
    kv.update_metadata("v/meta", max_versions=2, cas_required=True, delete_version_after="3h", custom_metadata={"owner": "shop"})
    meta = kv.read_secret_metadata("v/meta")["data"]
    assert meta["max_versions"] == 2 and meta["cas_required"] and meta["delete_version_after"] == "3h0m0s"
    assert meta["custom_metadata"] == {"owner": "shop"} and meta["current_version"] == 1
    with pytest.raises(hvac.exceptions.InvalidRequest, match="check-and-set parameter required for this call"):
        kv.create_or_update_secret("v/meta", {"x": 2})
    for n in (1, 2):
        kv.create_or_update_secret("v/meta", {"x": n}, cas=n)
    assert sorted(kv.read_secret_metadata("v/meta")["data"]["versions"]) == ["2", "3"]


def test_list_and_subkeys(root, kv):
    for path in ("l/a", "l/b/c", "l/b/d"):
        kv.create_or_update_secret(path, {"k": {"in": 1}})
    assert kv.list_secrets("l")["data"]["keys"] == ["a", "b/"]
    with pytest.raises(hvac.exceptions.InvalidPath):
        kv.list_secrets("nothing")
    assert root.read("secret/subkeys/l/a")["data"]["subkeys"] == {"k": {"in": None}}


def test_configuration(root, kv):
    root.sys.enable_secrets_engine("kv", path="conf", options={"version": "2"})
    kv.configure(max_versions=3, cas_required=True, delete_version_after="1h", mount_point="conf")
    got = kv.read_configuration(mount_point="conf")["data"]
    assert got["max_versions"] == 3 and got["cas_required"] and got["delete_version_after"] == "1h0m0s"
    with pytest.raises(hvac.exceptions.InvalidRequest):
        kv.create_or_update_secret("x", {"a": 1}, mount_point="conf")
    root.sys.disable_secrets_engine("conf")


def test_version_one(root):
    root.sys.enable_secrets_engine("kv", path="old", options={"version": "1"})
    kv = root.secrets.kv.v1
    kv.create_or_update_secret("a/b", {"x": "1"}, mount_point="old")
    assert kv.read_secret("a/b", mount_point="old")["data"] == {"x": "1"}
    assert kv.list_secrets("a", mount_point="old")["data"]["keys"] == ["b"]
    kv.delete_secret("a/b", mount_point="old")
    with pytest.raises(hvac.exceptions.InvalidPath):
        kv.read_secret("a/b", mount_point="old")
    root.sys.disable_secrets_engine("old")


def test_cubbyhole(keep, root):
    root.write("cubbyhole/mine", a="b")
    assert root.read("cubbyhole/mine")["data"] == {"a": "b"}
    assert root.list("cubbyhole/")["data"]["keys"] == ["mine"]
    assert keep.client(keep.token(policies=["default"])).read("cubbyhole/mine") is None
    root.delete("cubbyhole/mine")
    assert root.read("cubbyhole/mine") is None


@pytest.mark.parametrize("path", ["a/../b", "a//b", "./a", "a/%00b", "x" * 2000])
def test_paths_that_are_none(root, path):
    answer = root.adapter.session.get(f"{root.url}/v1/secret/data/{path}", headers={"X-Vault-Token": root.token}, verify=root.adapter._kwargs["verify"])
    assert answer.status_code in (400, 404) and "data" not in answer.json()
