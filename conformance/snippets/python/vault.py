import os

import hvac

client = hvac.Client(url=os.environ["VAULT_ADDR"], token=os.environ["VAULT_TOKEN"])
read = client.secrets.kv.v2.read_secret_version(path="app", raise_on_deleted_version=True)
print(read["data"]["data"]["password"])
