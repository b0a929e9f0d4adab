import { SecretsManagerClient, GetSecretValueCommand } from "@aws-sdk/client-secrets-manager";
const client = new SecretsManagerClient({});
const r = await client.send(new GetSecretValueCommand({ SecretId: "prod/db" }));
const db = JSON.parse(r.SecretString);
console.log(db.username, db.password);
