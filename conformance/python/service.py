"""A service as people write it: it signs in when it starts and reads its settings from Vault. Nothing here knows Keephold."""

import contextlib
import os

import fastapi
import hvac
import pydantic


@contextlib.asynccontextmanager
async def lifespan(app):
    client = hvac.Client(url=os.environ["VAULT_ADDR"])
    login_response = client.auth.approle.login(role_id=os.environ["ROLE_ID"], secret_id=os.environ["SECRET_ID"])
    client.token = login_response["auth"]["client_token"]
    app.state.vault = client
    yield
    client.logout(revoke_token=True)


app = fastapi.FastAPI(lifespan=lifespan)


class Setting(pydantic.BaseModel):
    value: str


def read(request):
    return request.app.state.vault.secrets.kv.v2.read_secret_version(path="shop/service")["data"]


@app.get("/health")
def health(request: fastapi.Request):
    return {"authenticated": request.app.state.vault.is_authenticated()}


@app.get("/settings")
def settings(request: fastapi.Request):
    found = read(request)
    return {"keys": sorted(found["data"]), "version": found["metadata"]["version"]}


@app.get("/settings/{name}")
def setting(name: str, request: fastapi.Request):
    try:
        return request.app.state.vault.secrets.kv.v2.read_secret_version(path="shop/" + name)["data"]["metadata"]
    except hvac.exceptions.InvalidPath as missing:
        raise fastapi.HTTPException(404) from missing


@app.put("/settings/{name}")
def change(name: str, new: Setting, request: fastapi.Request):
    made = request.app.state.vault.secrets.kv.v2.patch(path="shop/service", secret={name: new.value})
    return {"version": made["data"]["version"]}
