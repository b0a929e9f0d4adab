import { SecretManagerServiceClient } from "@google-cloud/secret-manager";
const client = new SecretManagerServiceClient();
const [version] = await client.accessSecretVersion({ name: "projects/p/secrets/s/versions/latest" });
console.log(version.payload.data.toString());
