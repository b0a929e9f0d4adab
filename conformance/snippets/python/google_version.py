from google.cloud import secretmanager

client = secretmanager.SecretManagerServiceClient()
name = "projects/p/secrets/s/versions/latest"
response = client.access_secret_version(request={"name": name})
print(response.payload.data.decode("UTF-8"))
