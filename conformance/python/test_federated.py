"""Programs that hold a token of their platform and nothing else: boto3 and azure-identity, unchanged, from their environment alone."""

import http.server
import json
import os
import pathlib
import subprocess
import threading
import time

import boto3
import jwt
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import DefaultAzureCredential, WorkloadIdentityCredential
from azure.keyvault.secrets import SecretClient
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa

from conftest import BIN, environment

ACCOUNT = "000000000000"


class Issuer:
    """An OpenID Connect provider on this machine."""

    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(issuer.key.public_key()))
                documents = {
                    "/.well-known/openid-configuration": {"issuer": issuer.url, "jwks_uri": issuer.url + "/keys"},
                    "/keys": {"keys": [{**key, "kid": "k1", "use": "sig", "alg": "RS256"}]},
                }
                found = documents.get(self.path)
                self.send_response(200 if found else 404)
                self.end_headers()
                self.wfile.write(json.dumps(found).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, key=None, **claims):
        now = int(time.time())
        says = {"iss": self.url, "sub": "system:serviceaccount:shop:web", "aud": "keephold", "iat": now, "exp": now + 600, **claims}
        return jwt.encode({k: v for k, v in says.items() if v is not None}, key or self.key, algorithm="RS256", headers={"kid": "k1"})


class Root:
    """The administrator's calls."""

    def __init__(self, ready):
        self.addr, self.headers = ready["addr"] + "/v1/", {"X-Vault-Token": ready["token"]}

    def put(self, path, **body):
        r = requests.put(self.addr + path, json=body, headers=self.headers, timeout=60)
        assert r.status_code < 300, r.text
        return r.json().get("data") if r.content else None


@pytest.fixture(scope="module")
def issuer():
    made = Issuer()
    yield made
    made.server.shutdown()


@pytest.fixture(scope="module")
def identities(clouds, issuer):
    root = Root(clouds)
    root.put("sys/auth/jwt", type="jwt")
    root.put("auth/jwt/config", oidc_discovery_url=issuer.url)
    root.put("auth/jwt/role/web", role_type="jwt", user_claim="sub", bound_audiences=["keephold"], bound_subject="system:serviceaccount:shop:web")
    made = {}
    for name, kind, home in (("web-role", "aws-role", ACCOUNT), ("shut-role", "aws-role", ACCOUNT), ("web-app", "azure-user", "adfs"), ("shut-app", "azure-user", "adfs")):
        made[name] = root.put("keephold/identities/" + name, kind=kind, home=home, policies=["root-like"])["public"]
    root.put("sys/policies/acl/root-like", policy='path "*" { capabilities = ["create", "read", "update", "delete", "list"] }')
    for name in ("web-role", "web-app"):
        assert root.put("keephold/identities-trust/" + name, roles=["jwt/web"])["trust"] == ["jwt/web"]
    return made


@pytest.fixture
def token_file(tmp_path, issuer):
    path = tmp_path / "token"
    path.write_text(issuer.token())
    return path


@pytest.fixture
def aws(clouds, monkeypatch):
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in clouds["env"]["aws"].items():
        if name not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_boto3_reads_by_a_token_of_its_platform(clouds, aws, identities, token_file, monkeypatch):
    env = clouds["env"]["aws"]
    keys = {"aws_access_key_id": env["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": env["AWS_SECRET_ACCESS_KEY"]}
    boto3.client("secretsmanager", **keys).create_secret(Name="federated", SecretString="by token")
    monkeypatch.setenv("AWS_ROLE_ARN", identities["web-role"])
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token_file))
    monkeypatch.setenv("AWS_ROLE_SESSION_NAME", "pod-1")
    session = boto3.session.Session()
    assert session.get_credentials().method == "assume-role-with-web-identity"
    assert session.client("secretsmanager").get_secret_value(SecretId="federated")["SecretString"] == "by token"
    who = session.client("sts").get_caller_identity()
    assert who["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/web-role/pod-1"


def assume(**change):
    args = {"RoleArn": change.pop("role"), "RoleSessionName": "s1", "WebIdentityToken": change.pop("token"), **change}
    return boto3.client("sts").assume_role_with_web_identity(**args)


def refused(**args):
    with pytest.raises(ClientError) as e:
        assume(**args)
    return e.value.response["Error"]["Code"], e.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_what_aws_says_of_a_token(aws, identities, issuer):
    web = identities["web-role"]
    got = assume(role=web, token=issuer.token(), DurationSeconds=900)
    assert got["SubjectFromWebIdentityToken"] == "system:serviceaccount:shop:web" and got["Audience"] == "keephold" and got["Provider"] == issuer.url
    assert got["Credentials"]["AccessKeyId"].startswith("ASIA") and got["AssumedRoleUser"]["Arn"].endswith(":assumed-role/web-role/s1")
    now = int(time.time())
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    roles = (web, identities["shut-role"], f"arn:aws:iam::{ACCOUNT}:role/never-was", "arn:aws:iam::999999999999:role/never-was")
    for role in roles:  # the same of every role, whether it is there or not
        assert refused(role=role, token="not.a.token") == ("InvalidIdentityToken", 400)
        assert refused(role=role, token=issuer.token(sub=None)) == ("InvalidIdentityToken", 400)
        assert refused(role=role, token=issuer.token(exp=now - 3600)) == ("ExpiredTokenException", 400)
        assert refused(role=role, token=issuer.token(nbf=now + 3600)) == ("IDPRejectedClaim", 403)
        assert refused(role=role, token=issuer.token(iss="https://elsewhere.example")) == ("InvalidIdentityToken", 400)
        assert refused(role=role, token=issuer.token(key=stranger)) == ("InvalidIdentityToken", 400)
        assert refused(role=role, token=issuer.token(sub="system:serviceaccount:other:web")) == ("AccessDenied", 403)
        assert refused(role=role, token=issuer.token(aud="somebody-else")) == ("AccessDenied", 403)
    for role in roles[1:]:
        assert refused(role=role, token=issuer.token()) == ("AccessDenied", 403)
    assert refused(role=web, token=issuer.token(), Policy="{}") == ("MalformedPolicyDocument", 400)
    assert refused(role=web, token=issuer.token(), DurationSeconds=43200 + 1) == ("ValidationError", 400)


def test_who_can_read_names_the_role_of_the_token(clouds, identities):
    """The role's own tokens may read nothing; who has one takes an identity that may."""
    env = {**environment(), "KEEPHOLD_ADDR": clouds["addr"], "KEEPHOLD_TOKEN": clouds["token"]}
    who = json.loads(subprocess.run([BIN, "access", f"aws/{ACCOUNT}/us-east-1/federated", "--json"], env=env, check=True, capture_output=True, text=True).stdout)
    assert who["jwt_roles"] == ["jwt/web"] and identities["web-role"] in who["identities"]


def test_both_are_in_the_audit_log(clouds, aws, identities, issuer):
    boto3.client("sts").assume_role_with_web_identity(RoleArn=identities["web-role"], RoleSessionName="audited", WebIdentityToken=issuer.token())
    assert refused(role=identities["web-role"], token=issuer.token(sub="stranger"))[0] == "AccessDenied"
    env = {**environment(), "KEEPHOLD_ADDR": clouds["addr"], "KEEPHOLD_TOKEN": clouds["token"]}
    tail = subprocess.run([BIN, "audit", "tail", "--json"], env=env, check=True, capture_output=True, text=True).stdout
    good, bad = [r for r in map(json.loads, tail.splitlines()) if r["action"] == "sts.assume-role-web"][-2:]
    assert (good["who"]["name"], good["what"]["path"]) == ("web-role/system:serviceaccount:shop:web", f"aws/{ACCOUNT}/sts/role/web-role/audited")
    assert (bad["kind"], bad["what"]["path"]) == ("refusal", f"aws/{ACCOUNT}/sts/role/web-role/s1")
    assert "eyJ" not in tail


def test_the_go_sdks_read_by_a_token_of_their_platform(clouds, identities, token_file, tmp_path):
    """`keephold pull` is a client of both clouds by their official SDKs and their default chains."""
    here = {"KEEPHOLD_ADDR": clouds["addr"], "KEEPHOLD_TOKEN": clouds["token"], "HOME": str(tmp_path), "SSL_CERT_FILE": clouds["ca_file"]}
    aws = {k: v for k, v in clouds["env"]["aws"].items() if "KEY" not in k}
    aws |= {"AWS_ROLE_ARN": identities["web-role"], "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file), "AWS_EC2_METADATA_DISABLED": "true"}
    azure = {k: v for k, v in clouds["env"]["azure"].items() if not k.startswith("IDENTITY_")}
    azure |= {"AZURE_CLIENT_ID": identities["web-app"], "AZURE_FEDERATED_TOKEN_FILE": str(token_file)}
    for env, address in ((aws, f"aws://{ACCOUNT}/us-east-1/"), (azure, "azure://dev/")):
        clean = {k: v for k, v in environment().items() if not k.startswith(("AWS_", "AZURE_", "IDENTITY_"))}
        done = subprocess.run([BIN, "diff", address, "secret/elsewhere"], env=clean | env | here, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode in (0, 1), done.stderr


def test_javascript_reads_by_a_token_of_its_platform(clouds, identities, token_file, tmp_path):
    keys = {k: v for k, v in clouds["env"]["aws"].items() if "KEY" in k}
    session = boto3.session.Session(aws_access_key_id=keys["AWS_ACCESS_KEY_ID"], aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1")
    url = clouds["env"]["aws"]["AWS_ENDPOINT_URL"]
    session.client("secretsmanager", endpoint_url=url).create_secret(Name="prod/db", SecretString='{"username":"u","password":"by token"}')
    env = {k: v for k, v in environment().items() if not k.startswith("AWS_")} | {k: v for k, v in clouds["env"]["aws"].items() if k not in keys}
    env |= {"AWS_ROLE_ARN": identities["web-role"], "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file), "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    program = pathlib.Path(__file__).parents[1] / "javascript" / "aws.mjs"
    done = subprocess.run(["node", str(program)], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "u by token\n"), done.stderr


def test_azure_reads_by_a_federated_token(clouds, identities, token_file, monkeypatch):
    env = clouds["env"]["azure"]
    for name in [n for n in os.environ if n.startswith(("AZURE_", "IDENTITY_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", env["REQUESTS_CA_BUNDLE"])
    monkeypatch.setenv("IDENTITY_ENDPOINT", env["IDENTITY_ENDPOINT"])
    monkeypatch.setenv("IDENTITY_HEADER", env["IDENTITY_HEADER"])
    url = env["AZURE_KEYVAULT_URL"]
    SecretClient(url, DefaultAzureCredential()).set_secret("federated", "by token")
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    monkeypatch.delenv("IDENTITY_HEADER")
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", env["AZURE_AUTHORITY_HOST"])
    monkeypatch.setenv("AZURE_TENANT_ID", env["AZURE_TENANT_ID"])
    monkeypatch.setenv("AZURE_CLIENT_ID", identities["web-app"])
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(token_file))
    assert SecretClient(url, DefaultAzureCredential()).get_secret("federated").value == "by token"
    monkeypatch.setenv("AZURE_CLIENT_ID", identities["shut-app"])
    with pytest.raises(ClientAuthenticationError, match="AADSTS70021"):
        WorkloadIdentityCredential().get_token("https://vault.azure.net/.default")


def test_what_azure_says_of_a_token(clouds, identities, issuer):
    env = clouds["env"]["azure"]

    def ask(**change):
        form = {
            "grant_type": "client_credentials", "client_id": identities["web-app"], "scope": "https://vault.azure.net/.default",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion": issuer.token(), **change,
        }
        while True:
            r = requests.post(f"{env['AZURE_AUTHORITY_HOST']}/{env['AZURE_TENANT_ID']}/oauth2/token", data=form, verify=env["REQUESTS_CA_BUNDLE"], timeout=60)
            if r.status_code != 429:  # the bound on sign-ins, which this test meets
                return r.status_code, r.json()
            assert r.json()["error"] == "temporarily_unavailable" and r.headers["Retry-After"] == "1"
            time.sleep(1)

    now = int(time.time())
    assert ask()[1]["token_type"] == "Bearer"
    for client in (identities["web-app"], identities["shut-app"], "00000000-0000-0000-0000-000000000000"):
        for change, number in (
            ({"client_assertion": "not.a.token"}, 50027),
            ({"client_assertion": issuer.token(exp=now - 3600)}, 700024),
            ({"client_assertion": issuer.token(sub="other")}, 70021),
            ({"client_assertion": issuer.token(iss="https://elsewhere.example")}, 70021),
            ({"client_assertion": issuer.token(key=rsa.generate_private_key(public_exponent=65537, key_size=2048))}, 70021),
        ):
            status, body = ask(client_id=client, **change)
            assert (status, body["error"], body["error_codes"]) == (401, "invalid_client", [number]), (client, change)
    assert ask(client_assertion_type="urn:other")[1]["error_codes"] == [900144]
    assert ask(client_secret="x")[1]["error_codes"] == [900144]
