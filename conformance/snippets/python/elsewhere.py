# The program also speaks to a server of its own, whose certificate it trusts by SSL_CERT_FILE.
import os
import urllib.request

from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

secret = SecretClient("https://your-vault.vault.azure.net/", DefaultAzureCredential()).get_secret("secret-name")
with urllib.request.urlopen(os.environ["ELSEWHERE"]) as answer:
    print(answer.read().decode())
print(secret.value)
