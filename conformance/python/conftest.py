"""Starts the program named by KEEPHOLD_BIN: as `dev`, and as `server` with TLS and its own CA."""

import dataclasses
import json
import os
import socket
import subprocess
import threading
import time

import hvac
import methods
import pytest
import requests

methods.note()

BIN = os.environ["KEEPHOLD_BIN"]

POLICY = 'path "secret/*" { capabilities = ["create", "read", "update", "patch", "delete", "list"] }'


@dataclasses.dataclass
class Keep:
    """A running keep and what a client needs to reach it."""

    url: str
    verify: object
    root_token: str
    role_id: str = ""
    secret_id: str = ""

    def client(self, token=None, **more):
        return hvac.Client(url=self.url, token=token, verify=self.verify, **more)

    def root(self):
        return self.client(self.root_token)

    def token(self, **terms):
        return self.root().auth.token.create(**terms)["auth"]["client_token"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def environment():
    """The environment without anything that would point a client elsewhere."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("VAULT_", "KEEPHOLD_"))}


def stop(process):
    process.terminate()
    try:
        assert process.wait(120) == 0, "the server did not stop cleanly"
    finally:
        process.kill()


class Server:
    """`keephold server` on a fresh store, sealed and uninitialised."""

    def __init__(self, directory):
        self.directory = directory
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        self.config = directory / "keephold-server.toml"
        self.config.write_text(
            f"""
[[listener]]
address = "127.0.0.1:{self.port}"
names = ["localhost"]

[storage]
kind = "bbolt"
path = "{directory}/store"

[seal]
kind = "shamir"

[audit]
dir = "{directory}/audit"
"""
        )
        self.lines = []
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [BIN, "server", "--config", str(self.config)], stderr=subprocess.PIPE, text=True, env=environment(), cwd=self.directory
        )
        self.ca = None
        threading.Thread(target=self.read, args=(self.process,), daemon=True).start()
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                if self.ca and requests.get(f"{self.url}/v1/sys/health", verify=self.ca, timeout=60).status_code in (200, 501, 503):
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.02)
        raise RuntimeError("the server does not answer:\n" + "".join(self.lines))

    def read(self, process):
        for line in process.stderr:
            self.lines.append(line)
            if "KEEPHOLD_CACERT=" in line:
                self.ca = line.split("KEEPHOLD_CACERT=")[1].strip()

    def stop(self):
        stop(self.process)


def dev(directory):
    port = free_port()
    process = subprocess.Popen(
        [BIN, "dev", "--json", "--listen", f"127.0.0.1:{port}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(), cwd=directory
    )
    ready = json.loads(process.stdout.readline())
    yield Keep(f"http://localhost:{port}", True, ready["token"], ready["role_id"], ready["secret_id"])
    stop(process)


def server(directory):
    s = Server(directory)
    client = hvac.Client(url=s.url, verify=s.ca)
    made = client.sys.initialize(secret_shares=3, secret_threshold=2)
    client.sys.submit_unseal_keys(made["keys"][:2])
    keep = Keep(s.url, s.ca, made["root_token"])
    root = keep.root()
    root.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
    root.sys.enable_auth_method("approle")
    root.sys.create_or_update_policy("dev", POLICY)
    root.auth.approle.create_or_update_approle("dev", token_policies=["dev"])
    keep.role_id = root.auth.approle.read_role_id("dev")["data"]["role_id"]
    keep.secret_id = root.auth.approle.generate_secret_id("dev")["data"]["secret_id"]
    yield keep
    s.stop()


@pytest.fixture(scope="session", params=[dev, server], ids=["dev", "tls"])
def keep(request, tmp_path_factory):
    yield from request.param(tmp_path_factory.mktemp(request.param.__name__))


@pytest.fixture(scope="session")
def root(keep):
    return keep.root()


@pytest.fixture
def fresh(tmp_path):
    s = Server(tmp_path)
    yield s
    s.stop()


@pytest.fixture(scope="session")
def clouds(tmp_path_factory):
    """What `dev` says when it is ready. One for all clients in this process: gRPC reads the roots that it trusts once."""
    process = subprocess.Popen(
        [BIN, "dev", "--json", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(), cwd=tmp_path_factory.mktemp("clouds")
    )
    yield json.loads(process.stdout.readline())
    stop(process)


def pytest_collection_modifyitems(items):
    """The look at what nobody drove comes last."""
    items.sort(key=lambda item: item.name == "test_nothing_is_left_over")
