"""google-cloud-secret-manager, unchanged, against the Google dialect of `dev`, by gRPC and by REST: credentials come from the environment, the
address is the one argument that the vendor has no variable for."""

import json
import os
import time
import uuid

import google_crc32c
import pytest
from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.cloud import secretmanager
from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.protobuf import duration_pb2, field_mask_pb2, timestamp_pb2

PROJECT = "projects/dev"
AUTOMATIC = {"replication": {"automatic": {}}}
State = secretmanager.SecretVersion.State


@pytest.fixture(scope="module")
def ready(clouds):
    patch = pytest.MonkeyPatch()
    for name, value in clouds["env"]["gcp"].items():
        patch.setenv(name, value)
    patch.setenv("REQUESTS_CA_BUNDLE", clouds["ca_file"])
    yield clouds
    patch.undo()


@pytest.fixture(scope="module", params=["grpc", "rest"])
def client(request, ready):
    options = ClientOptions(api_endpoint=ready["env"]["gcp"]["GCP_SECRETMANAGER_ENDPOINT"])
    return secretmanager.SecretManagerServiceClient(transport=request.param, client_options=options)


@pytest.fixture
def name():
    return "s-" + uuid.uuid4().hex


def made(client, name, *values, **more):
    s = client.create_secret(parent=PROJECT, secret_id=name, secret={**AUTOMATIC, **more})
    for v in values:
        client.add_secret_version(parent=s.name, payload={"data": v})
    return s


def mask(*paths):
    return field_mask_pb2.FieldMask(paths=paths)


def test_life_of_a_secret(client, name):
    s = made(client, name, b"one", labels={"team": "shop"}, annotations={"note": "A b"})
    assert s.name == f"projects/1/secrets/{name}" and s.labels == {"team": "shop"} and s.etag and s.create_time
    v = client.add_secret_version(parent=s.name, payload={"data": b"\x00two"})
    assert v.name == s.name + "/versions/2" and v.state == State.ENABLED
    for which in ("latest", "2"):
        got = client.access_secret_version(request={"name": f"{PROJECT}/secrets/{name}/versions/{which}"})
        assert got.payload.data == b"\x00two" and got.name == v.name
        assert got.payload.data_crc32c == google_crc32c.value(b"\x00two")
    assert client.access_secret_version(name=s.name + "/versions/1").payload.data == b"one"
    assert [x.name.rsplit("/", 1)[1] for x in client.list_secret_versions(parent=s.name)] == ["2", "1"]
    assert client.get_secret_version(name=s.name + "/versions/latest").name == v.name
    client.delete_secret(name=s.name)
    with pytest.raises(exceptions.NotFound):
        client.get_secret(name=s.name)


def test_checksums(client, name):
    s = made(client, name)
    with pytest.raises(exceptions.BadRequest):
        client.add_secret_version(parent=s.name, payload={"data": b"x", "data_crc32c": 1})
    v = client.add_secret_version(parent=s.name, payload={"data": b"x", "data_crc32c": google_crc32c.value(b"x")})
    assert v.client_specified_payload_checksum
    with pytest.raises(exceptions.BadRequest):
        client.add_secret_version(parent=s.name, payload={"data": b"x" * 65537})


def test_states_of_a_version(client, name):
    s = made(client, name, b"one", b"two")
    two = s.name + "/versions/2"
    assert client.disable_secret_version(name=two).state == State.DISABLED
    for which in ("latest", "2"):
        with pytest.raises(exceptions.BadRequest, match="is in DISABLED state"):
            client.access_secret_version(name=f"{s.name}/versions/{which}")
    assert client.enable_secret_version(name=two).state == State.ENABLED
    assert client.access_secret_version(name=two).payload.data == b"two"
    gone = client.destroy_secret_version(name=two)
    assert gone.state == State.DESTROYED and gone.destroy_time
    with pytest.raises(exceptions.BadRequest, match="is in DESTROYED state"):
        client.access_secret_version(name=two)
    with pytest.raises(exceptions.BadRequest):
        client.enable_secret_version(name=two)
    assert client.get_secret_version(name=two).state == State.DESTROYED
    assert client.add_secret_version(parent=s.name, payload={"data": b"x"}).name.endswith("/3"), "numbers are never used again"


def test_a_delayed_destruction_can_be_called_off(client, name):
    s = made(client, name, b"x", version_destroy_ttl=duration_pb2.Duration(seconds=86400 * 2))
    v = client.destroy_secret_version(name=s.name + "/versions/1")
    assert v.state == State.DISABLED and v.scheduled_destroy_time
    assert client.enable_secret_version(name=v.name).state == State.ENABLED
    assert client.access_secret_version(name=v.name).payload.data == b"x"


def test_update(client, name):
    s = made(client, name, b"one", b"two", labels={"a": "1"})
    u = client.update_secret(secret={"name": s.name, "labels": {"b": "2"}, "version_aliases": {"blue": 1}}, update_mask=mask("labels", "version_aliases"))
    assert u.labels == {"b": "2"} and u.version_aliases == {"blue": 1} and u.etag != s.etag
    assert client.access_secret_version(name=s.name + "/versions/blue").payload.data == b"one"
    with pytest.raises(exceptions.BadRequest):
        client.update_secret(secret={"name": s.name, "replication": {"automatic": {}}}, update_mask=mask("replication"))
    with pytest.raises((exceptions.BadRequest, exceptions.NotFound)):
        client.update_secret(secret={"name": s.name, "version_aliases": {"red": 9}}, update_mask=mask("version_aliases"))
    t = client.update_secret(secret={"name": s.name, "ttl": duration_pb2.Duration(seconds=3600)}, update_mask=mask("ttl"))
    assert 3000 < t.expire_time.timestamp() - time.time() < 3700


def test_etags(client, name):
    s = made(client, name, b"x")
    stale = s.etag
    u = client.update_secret(secret={"name": s.name, "labels": {"a": "1"}, "etag": s.etag}, update_mask=mask("labels"))
    for call in (
        lambda: client.update_secret(secret={"name": s.name, "labels": {"a": "2"}, "etag": stale}, update_mask=mask("labels")),
        lambda: client.delete_secret(request={"name": s.name, "etag": stale}),
        lambda: client.disable_secret_version(request={"name": s.name + "/versions/1", "etag": '"nope"'}),
    ):
        with pytest.raises((exceptions.Conflict, exceptions.BadRequest)):
            call()
    client.delete_secret(request={"name": s.name, "etag": u.etag})


def test_expiry(client, name):
    soon = timestamp_pb2.Timestamp(seconds=int(time.time()) + 2)
    s = made(client, name, b"x", expire_time=soon)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            client.access_secret_version(name=s.name + "/versions/1")
        except exceptions.NotFound:
            return
        time.sleep(0.1)
    pytest.fail("it never expired")


def test_lists_are_paged_and_filtered(client, name):
    ids = [f"{name}-{i}" for i in range(7)]
    for i, id in enumerate(ids):
        made(client, id, labels={"n": str(i % 2)})
    request = {"parent": PROJECT, "page_size": 3, "filter": f"name:{name}"}
    pages = list(client.list_secrets(request=request).pages)
    assert [len(p.secrets) for p in pages] == [3, 3, 1] and pages[0].total_size == 0, "as documented, where there is a filter"
    assert [s.name.rsplit("/", 1)[1] for p in pages for s in p.secrets] == ids
    request["filter"] = f"name:{name} AND labels.n=1"
    assert len(list(client.list_secrets(request=request))) == 3
    with pytest.raises(exceptions.BadRequest):
        list(client.list_secrets(request={"parent": PROJECT, "page_token": "bad"}))
    with pytest.raises(exceptions.BadRequest):
        list(client.list_secrets(request={"parent": PROJECT, "filter": "AND ("}))


def test_policies(client, name):
    s = made(client, name, b"x")
    asked = iam_policy_pb2.TestIamPermissionsRequest(resource=s.name, permissions=["secretmanager.versions.access", "secretmanager.secrets.delete"])
    assert set(client.test_iam_permissions(request=asked).permissions) == set(asked.permissions)
    before = client.get_iam_policy(request=iam_policy_pb2.GetIamPolicyRequest(resource=s.name))
    assert not before.bindings
    key = json.load(open(os.environ["GOOGLE_APPLICATION_CREDENTIALS"]))
    binding = policy_pb2.Binding(role="roles/secretmanager.secretAccessor", members=["serviceAccount:" + key["client_email"]])
    client.set_iam_policy(request=iam_policy_pb2.SetIamPolicyRequest(resource=s.name, policy=policy_pb2.Policy(bindings=[binding], etag=before.etag)))
    after = client.get_iam_policy(request=iam_policy_pb2.GetIamPolicyRequest(resource=s.name))
    assert list(after.bindings) == [binding] and after.etag != before.etag
    with pytest.raises((exceptions.Conflict)):
        client.set_iam_policy(request=iam_policy_pb2.SetIamPolicyRequest(resource=s.name, policy=policy_pb2.Policy(bindings=[], etag=before.etag)))
    unknown = policy_pb2.Policy(bindings=[policy_pb2.Binding(role="roles/owner", members=list(binding.members))])
    with pytest.raises(exceptions.BadRequest):
        client.set_iam_policy(request=iam_policy_pb2.SetIamPolicyRequest(resource=s.name, policy=unknown))


@pytest.mark.parametrize(
    "call, error",
    [
        (lambda c, n: c.get_secret(name=f"{PROJECT}/secrets/{n}"), exceptions.NotFound),
        (lambda c, n: c.access_secret_version(name=f"{PROJECT}/secrets/{n}/versions/latest"), exceptions.NotFound),
        (lambda c, n: c.add_secret_version(parent=f"{PROJECT}/secrets/{n}", payload={"data": b"x"}), exceptions.NotFound),
        (lambda c, n: c.create_secret(parent=PROJECT, secret_id=n, secret={}), exceptions.BadRequest),
        (lambda c, n: c.create_secret(parent=PROJECT, secret_id="a b", secret=AUTOMATIC), exceptions.BadRequest),
        (lambda c, n: c.create_secret(parent=PROJECT, secret_id="x" * 256, secret=AUTOMATIC), exceptions.BadRequest),
        (lambda c, n: c.get_secret(name="projects/other/secrets/x"), (exceptions.PermissionDenied, exceptions.NotFound)),
        (lambda c, n: (made(c, n), c.access_secret_version(name=f"{PROJECT}/secrets/{n}/versions/latest")), exceptions.NotFound),
        (lambda c, n: (made(c, n), made(c, n)), exceptions.Conflict),
    ],
)
def test_errors(client, name, call, error):
    with pytest.raises(error):
        call(client, name)


def test_a_forged_account_is_a_stranger(ready, name):
    from google.oauth2 import service_account

    key = json.load(open(ready["env"]["gcp"]["GOOGLE_APPLICATION_CREDENTIALS"]))
    key["client_email"] = "somebody@dev.iam.gserviceaccount.com"
    credentials = service_account.Credentials.from_service_account_info(key, scopes=["https://www.googleapis.com/auth/cloud-platform"], always_use_jwt_access=True)
    c = secretmanager.SecretManagerServiceClient(credentials=credentials, client_options=ClientOptions(api_endpoint=ready["env"]["gcp"]["GCP_SECRETMANAGER_ENDPOINT"]))
    with pytest.raises(exceptions.Unauthenticated):
        c.get_secret(name=f"{PROJECT}/secrets/{name}")
