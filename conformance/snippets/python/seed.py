# Writes what the programs beside it read, and says the ARNs.
import json

import boto3
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
from google.cloud import secretmanager

aws = boto3.client("secretsmanager")
text = aws.create_secret(Name="prod/db", SecretString='{"username":"shop","password":"pw-aws"}')["ARN"]
binary = aws.create_secret(Name="prod/key", SecretBinary=b"\x00\x01\xff")["ARN"]

google = secretmanager.SecretManagerServiceClient()
google.create_secret(request={"parent": "projects/p", "secret_id": "s", "secret": {"replication": {"automatic": {}}}})
google.add_secret_version(request={"parent": "projects/p/secrets/s", "payload": {"data": b"pw-google"}})

SecretClient("https://your-vault.vault.azure.net/", DefaultAzureCredential()).set_secret("secret-name", "pw-azure")
print(json.dumps({"text": text, "binary": binary}))
