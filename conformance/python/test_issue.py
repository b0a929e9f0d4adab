"""The code of a Python service as its authors wrote it for Vault: only the address differs."""

import os
import subprocess
import sys
import time

import httpx
import hvac
import pytest

from conftest import environment, free_port, stop


def connect(keep):
    if keep.url.startswith("http://"):
        return hvac.Client(url=keep.url)
    return hvac.Client(url=keep.url, verify=keep.verify)


def test_read_and_write(keep):
    client = connect(keep)
    login_response = client.auth.approle.login(role_id=keep.role_id, secret_id=keep.secret_id)
    client.token = login_response["auth"]["client_token"]
    assert client.is_authenticated()

    client.secrets.kv.v2.create_or_update_secret(path="shop/api", secret={"DATABASE_URL": "postgres://shop", "n": 1})
    read = client.secrets.kv.v2.read_secret_version(path="shop/api")
    assert read["data"]["data"] == {"DATABASE_URL": "postgres://shop", "n": 1}
    assert read["data"]["metadata"]["version"] == 1

    client.secrets.kv.default_kv_version = 2
    assert client.secrets.kv.read_secret_version(path="shop/api")["data"]["data"]["n"] == 1


def test_wrong_credentials(keep):
    texts = set()
    for role_id, secret_id in ((keep.role_id, "wrong"), ("nobody", keep.secret_id), ("nobody", "wrong")):
        with pytest.raises(hvac.exceptions.InvalidRequest) as refused:
            connect(keep).auth.approle.login(role_id=role_id, secret_id=secret_id)
        texts.add(tuple(refused.value.errors))
    assert texts == {("invalid role or secret ID",)}
    assert not hvac.Client(url=keep.url, token="khs_nobody", verify=keep.verify).is_authenticated()
    with pytest.raises(hvac.exceptions.Forbidden):
        hvac.Client(url=keep.url, verify=keep.verify).secrets.kv.v2.read_secret_version(path="shop/api", raise_on_deleted_version=True)


def test_untrusted_server(keep):
    if keep.url.startswith("http://"):
        return  # nothing to trust: the other run of this test is the one
    import requests

    with pytest.raises(requests.exceptions.SSLError):
        hvac.Client(url=keep.url, token=keep.root_token).sys.read_health_status(method="GET")


def test_fastapi_service(keep):
    """A FastAPI application with that code in it is imported, served by uvicorn, and asked over HTTP."""
    keep.root().secrets.kv.v2.create_or_update_secret(path="shop/service", secret={"api_key": "k-1", "region": "eu"})
    port = free_port()
    env = environment() | {"VAULT_ADDR": keep.url, "ROLE_ID": keep.role_id, "SECRET_ID": keep.secret_id}
    if keep.verify is not True:
        env["REQUESTS_CA_BUNDLE"] = str(keep.verify)
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "service:app", "--port", str(port), "--log-level", "warning"], env=env, cwd=os.path.dirname(__file__)
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as service:
            until = time.monotonic() + 120
            while True:
                try:
                    assert service.get("/health").json() == {"authenticated": True}
                    break
                except httpx.ConnectError:
                    assert process.poll() is None and time.monotonic() < until, "the service does not start"
                    time.sleep(0.1)
            assert service.get("/settings").json() == {"keys": ["api_key", "region"], "version": 1}
            assert service.put("/settings/region", json={"value": "us"}).json() == {"version": 2}
            assert service.get("/settings").json()["version"] == 2
            assert service.get("/settings/unknown").status_code == 404
    finally:
        process.terminate()
        process.wait(120)
    data = keep.root().secrets.kv.v2.read_secret_version(path="shop/service", raise_on_deleted_version=True)["data"]["data"]
    assert data == {"api_key": "k-1", "region": "us"}
