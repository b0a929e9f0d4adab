"""boto3, unchanged: everything it needs is in its environment."""

import json
import os
import subprocess
import uuid

import boto3
import pytest
from botocore.exceptions import ClientError

from conftest import BIN, environment, stop


@pytest.fixture(scope="module")
def env():
    process = subprocess.Popen([BIN, "dev", "--json", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True, env=environment())
    yield json.loads(process.stdout.readline())["env"]["aws"]
    stop(process)


@pytest.fixture
def client(env, monkeypatch):
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return lambda service="secretsmanager", **more: boto3.session.Session().client(service_name=service, **more)


def code(call, **args):
    with pytest.raises(ClientError) as e:
        call(**args)
    return e.value.response["Error"]["Code"]


def test_life_of_a_secret(client):
    c = client()
    made = c.create_secret(Name="prod/db", SecretString='{"user":"u"}', Description="d", Tags=[{"Key": "a", "Value": "b"}])
    arn = made["ARN"]
    for name in ("prod/db", arn, arn[:-7]):
        assert json.loads(c.get_secret_value(SecretId=name)["SecretString"]) == {"user": "u"}
    assert code(c.create_secret, Name="prod/db", SecretString="x") == "ResourceExistsException"
    assert code(c.get_secret_value, SecretId="nope") == "ResourceNotFoundException"
    assert code(c.get_secret_value, SecretId=arn, VersionStage="AWSPREVIOUS") == "ResourceNotFoundException"
    second = c.put_secret_value(SecretId=arn, SecretBinary=b"\x00\x01")
    assert second["VersionStages"] == ["AWSCURRENT"]
    assert c.get_secret_value(SecretId=arn)["SecretBinary"] == b"\x00\x01"
    assert c.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")["VersionId"] == made["VersionId"]
    assert code(c.get_secret_value, SecretId=arn, VersionId=made["VersionId"], VersionStage="AWSCURRENT") == "InvalidRequestException"
    d = c.describe_secret(SecretId=arn)
    assert d["VersionIdsToStages"] == {made["VersionId"]: ["AWSPREVIOUS"], second["VersionId"]: ["AWSCURRENT"]}
    assert d["LastAccessedDate"] and d["Tags"] == [{"Key": "a", "Value": "b"}]
    assert "VersionId" not in c.update_secret(SecretId=arn, Description="new")
    c.tag_resource(SecretId=arn, Tags=[{"Key": "q", "Value": "z"}])
    c.untag_resource(SecretId=arn, TagKeys=["a"])
    assert c.describe_secret(SecretId=arn)["Tags"] == [{"Key": "q", "Value": "z"}]
    assert code(c.rotate_secret, SecretId=arn) == "InvalidRequestException"
    c.delete_secret(SecretId=arn, RecoveryWindowInDays=7)
    assert code(c.get_secret_value, SecretId=arn) == "InvalidRequestException"
    assert code(c.delete_secret, SecretId=arn) == "InvalidRequestException"
    assert c.describe_secret(SecretId=arn)["DeletedDate"]
    c.restore_secret(SecretId=arn)
    c.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    c.delete_secret(SecretId="never-was", ForceDeleteWithoutRecovery=True)
    assert code(c.describe_secret, SecretId=arn) == "ResourceNotFoundException"


def test_a_token_names_a_write(client):
    c = client()
    token = str(uuid.uuid4())
    one = c.create_secret(Name="once", SecretString="x", ClientRequestToken=token)
    assert c.create_secret(Name="once", SecretString="x", ClientRequestToken=token)["VersionId"] == one["VersionId"] == token
    assert code(c.put_secret_value, SecretId="once", SecretString="y", ClientRequestToken=token) == "ResourceExistsException"


def test_stages_move(client):
    c = client()
    first = c.create_secret(Name="stages", SecretString="1")["VersionId"]
    pending = c.put_secret_value(SecretId="stages", SecretString="2", VersionStages=["AWSPENDING"])["VersionId"]
    assert c.get_secret_value(SecretId="stages")["SecretString"] == "1"
    assert code(c.update_secret_version_stage, SecretId="stages", VersionStage="AWSCURRENT", MoveToVersionId=pending) == "InvalidParameterException"
    c.update_secret_version_stage(SecretId="stages", VersionStage="AWSCURRENT", MoveToVersionId=pending, RemoveFromVersionId=first)
    assert c.get_secret_value(SecretId="stages")["SecretString"] == "2"
    assert c.get_secret_value(SecretId="stages", VersionStage="AWSPREVIOUS")["SecretString"] == "1"


def test_lists_batches_and_passwords(client):
    c = client()
    for i in range(5):
        c.create_secret(Name=f"list/{i}", SecretString=str(i))
    pages = c.get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": ["list/"]}], PaginationConfig={"PageSize": 2})
    assert [s["Name"] for p in pages for s in p["SecretList"]] == [f"list/{i}" for i in range(5)]
    assert code(c.list_secrets, NextToken="bad") == "InvalidNextTokenException"
    batch = c.batch_get_secret_value(SecretIdList=["list/1", "nope"])
    assert [v["SecretString"] for v in batch["SecretValues"]] == ["1"]
    assert batch["Errors"][0]["ErrorCode"] == "ResourceNotFoundException"
    assert len(c.get_random_password(PasswordLength=20, ExcludePunctuation=True)["RandomPassword"]) == 20


def test_who_asks(client):
    sts = client("sts")
    me = sts.get_caller_identity()
    assert me["Arn"] == "arn:aws:iam::000000000000:user/dev-aws-key"
    k = sts.assume_role(RoleArn="arn:aws:iam::000000000000:role/dev-aws-role", RoleSessionName="me")["Credentials"]
    role = {"aws_access_key_id": k["AccessKeyId"], "aws_secret_access_key": k["SecretAccessKey"], "aws_session_token": k["SessionToken"]}
    assert client("sts", **role).get_caller_identity()["Arn"].endswith(":assumed-role/dev-aws-role/me")
    assert "SecretList" in client(**role).list_secrets()
    forged = dict(role, aws_secret_access_key="x" * 40)
    assert code(client(**forged).list_secrets) == "InvalidSignatureException"
    unknown = dict(role, aws_session_token=k["SessionToken"][:-4] + "AAAA")
    assert code(client(**unknown).list_secrets) == "UnrecognizedClientException"
    assert code(client("sts", **forged).get_caller_identity) == "SignatureDoesNotMatch"


def test_sessions_of_a_key(client):
    sts = client("sts")
    k = sts.get_session_token(DurationSeconds=900)["Credentials"]
    session = {"aws_access_key_id": k["AccessKeyId"], "aws_secret_access_key": k["SecretAccessKey"], "aws_session_token": k["SessionToken"]}
    assert client("sts", **session).get_caller_identity()["Arn"] == sts.get_caller_identity()["Arn"]
    assert "SecretList" in client(**session).list_secrets()
    assert code(client("sts", **session).get_session_token) == "AccessDenied"
    assert code(sts.get_session_token, DurationSeconds=129601) == "ValidationError"
    assert sts.get_access_key_info(AccessKeyId=os.environ["AWS_ACCESS_KEY_ID"])["Account"] == "000000000000"
    assert code(sts.get_access_key_info, AccessKeyId="AKIA" + "A" * 16) == "ValidationError"
