"""AWS Secrets Manager beside an independent emulator: the same random sequences of operations, by boto3, against this keep and against
moto, which is asked as a server of its own. Where the two answers differ, DIFFERENCES says which of them is the vendor's and who says so; an
answer that differs in another way fails."""

import collections
import json
import os
import random
import re
import socket
import subprocess
import sys
import time
import uuid

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

from conftest import BIN, environment, free_port, stop

SEQUENCES = int(os.environ.get("KEEPHOLD_SEQUENCES", "1000"))
STEPS = 10


@pytest.fixture(scope="module")
def clients():
    keep = subprocess.Popen([BIN, "dev", "--json", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment())
    ready = json.loads(keep.stdout.readline())
    port = free_port()
    moto = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    plain = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
    env = ready["env"]["aws"]
    keys = {"aws_access_key_id": env["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": env["AWS_SECRET_ACCESS_KEY"]}
    yield (
        boto3.client("secretsmanager", endpoint_url=ready["addr"], region_name="us-east-1", config=plain, **keys),
        boto3.client("secretsmanager", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", config=plain, aws_access_key_id="a", aws_secret_access_key="b"),
    )
    moto.kill()
    moto.wait()
    stop(keep)


ARN = re.compile(r"arn:aws:secretsmanager:us-east-1:\d{12}:secret:(.*)-\w{6}$")
UNSEEN = {"ResponseMetadata", "LastAccessedDate", "LastChangedDate"}  # days and clocks, which are two


def plain(value):
    """An answer without what is each service's own: the account and end of an ARN, the moment of a date, the order of tags and stages."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in UNSEEN}
    if isinstance(value, list):
        return sorted((plain(v) for v in value), key=repr)
    if isinstance(value, str):
        return ARN.sub(r"arn:\1", value)
    if hasattr(value, "isoformat"):
        return "a date"
    return value


def ask(client, name, args):
    try:
        return "ok", plain(getattr(client, name)(**args))
    except ClientError as e:
        return e.response["Error"]["Code"], None


def sequence(seed):
    """Operations on two names of a sequence's own, most of them meaningful."""
    r = random.Random(seed)
    names = [f"s{seed}/a", f"s{seed}/b"]
    tokens = [str(uuid.UUID(int=r.getrandbits(128), version=4)) for _ in range(4)]
    values = ["one", "two", '{"user":"u"}']

    def value():
        return {"SecretBinary": b"\x00\xff"} if r.random() < 0.2 else {"SecretString": r.choice(values)}

    def secret(**more):
        return {"SecretId": r.choice(names), **more}

    def maybe(p, **more):
        return more if r.random() < p else {}

    stages = ["AWSCURRENT", "AWSPREVIOUS", "AWSPENDING", "blue"]
    ops = {
        "create_secret": (6, lambda: {"Name": r.choice(names), "ClientRequestToken": r.choice(tokens), **maybe(0.8, **value()), **maybe(0.3, Description="d"), **maybe(0.3, Tags=[{"Key": "k", "Value": "v"}])}),
        "put_secret_value": (6, lambda: secret(ClientRequestToken=r.choice(tokens), **value(), **maybe(0.4, VersionStages=r.sample(stages, r.choice([1, 2]))))),
        "get_secret_value": (6, lambda: secret(**maybe(0.3, VersionId=r.choice(tokens)), **maybe(0.3, VersionStage=r.choice(stages)))),
        "update_secret": (3, lambda: secret(ClientRequestToken=r.choice(tokens), **maybe(0.6, **value()), **maybe(0.5, Description=r.choice(["x", "y"])))),
        "describe_secret": (4, lambda: secret()),
        "delete_secret": (2, lambda: secret(**r.choice([{}, {"RecoveryWindowInDays": 7}, {"RecoveryWindowInDays": 3}, {"ForceDeleteWithoutRecovery": True}, {"RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": True}]))),
        "restore_secret": (2, lambda: secret()),
        "tag_resource": (1, lambda: secret(Tags=[{"Key": r.choice("kq"), "Value": "w"}])),
        "untag_resource": (1, lambda: secret(TagKeys=[r.choice("kq")])),
        "list_secret_version_ids": (2, lambda: secret(**maybe(0.5, IncludeDeprecated=True))),
        "update_secret_version_stage": (3, lambda: secret(VersionStage=r.choice(stages), **maybe(0.8, MoveToVersionId=r.choice(tokens)), **maybe(0.6, RemoveFromVersionId=r.choice(tokens)))),
        "batch_get_secret_value": (1, lambda: {"SecretIdList": names}),
        "list_secrets": (1, lambda: {"Filters": [{"Key": "name", "Values": [f"s{seed}/"]}], **maybe(0.5, IncludePlannedDeletion=True)}),
        "get_resource_policy": (1, lambda: secret()),
        "cancel_rotate_secret": (1, lambda: secret()),
    }
    kinds, weights = list(ops), [w for w, _ in ops.values()]
    for name in r.choices(kinds, weights, k=STEPS):
        yield name, ops[name][1]()


def members(ours, theirs):
    """Which members of two answers differ."""
    if ours is None or theirs is None or not isinstance(ours, dict) or not isinstance(theirs, dict):
        return ()
    return tuple(sorted(k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k)))


# (operation, our code, moto's code, members that differ) → which answer is the vendor's, and who says so.
DIFFERENCES = {}


def test_agrees_with_an_emulator(clients):
    ours, theirs = clients
    unknown, seen, through = collections.Counter(), collections.Counter(), 0
    example = {}
    for seed in range(SEQUENCES):
        for step, (name, args) in enumerate(sequence(seed)):
            (a, x), (b, y) = ask(ours, name, args), ask(theirs, name, args)
            if (a, x) == (b, y):
                continue
            kind = (name, a, b, members(x, y))
            if kind in DIFFERENCES:
                seen[kind] += 1
            else:
                unknown[kind] += 1
                example.setdefault(kind, (seed, step, args, x, y))
            if (a == "ok") != (b == "ok") or kind[3]:
                break  # from here on the two hold different things
        else:
            through += 1
    lines = [f"{n} x {k}: {example[k]}" for k, n in unknown.most_common()]
    assert not lines, f"{through} of {SEQUENCES} sequences to the end; answers that differ and are not listed:\n" + "\n".join(lines)
    assert through > SEQUENCES // 2, f"only {through} of {SEQUENCES} sequences were compared to their end"
    idle = [k for k in DIFFERENCES if not seen[k]]
    assert SEQUENCES < 1000 or not idle, f"these differences are not there any more: {idle}"
