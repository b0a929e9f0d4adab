// Command azure is the code that Azure's documentation shows for Key Vault.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

func main() {
	cred, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		log.Fatalf("failed to obtain a credential: %v", err)
	}
	client, err := azsecrets.NewClient("https://your-vault.vault.azure.net/", cred, nil)
	if err != nil {
		log.Fatalf("failed to create a client: %v", err)
	}
	resp, err := client.GetSecret(context.TODO(), "secret-name", "", nil)
	if err != nil {
		log.Fatalf("failed to get the secret: %v", err)
	}
	fmt.Println(*resp.Value)
}
