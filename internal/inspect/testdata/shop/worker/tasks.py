import os

import boto3
import hvac
from azure.keyvault.secrets import SecretClient
from google.cloud import secretmanager

NAME = "SENTRY_DSN"
dsn = os.getenv(NAME)
project = "p"


def read():
    client = boto3.session.Session().client(service_name="secretsmanager", region_name="eu-west-1")
    a = client.get_secret_value(SecretId="prod/shop/db")
    vault = hvac.Client(url=os.environ["VAULT_ADDR"])
    b = vault.secrets.kv.v2.read_secret_version(path="shop", mount_point="kv")
    g = secretmanager.SecretManagerServiceClient()
    c = g.access_secret_version(request={"name": f"projects/{project}/secrets/{which()}/versions/latest"})
    d = SecretClient(vault_url="https://x.vault.azure.net", credential=None).get_secret("db-password")
    return a, b, c, d


def which():
    return os.environ[f"WHICH_{os.getpid()}"]


print "an old statement"
last = os.environ.get("LAST") or "end"
