import { DefaultAzureCredential } from "@azure/identity";
import { SecretClient } from "@azure/keyvault-secrets";
const client = new SecretClient("https://your-vault.vault.azure.net/", new DefaultAzureCredential());
console.log((await client.getSecret("secret-name")).value);
