package policy

// awsOperations are the actions of AWS Secrets Manager and STS. A label moves by Update on metadata/, deletion with a window is Delete on data/ (it can be
// taken back), removal without one is Delete on metadata/, as in the Vault dialect. A list shows the items whose metadata the caller may read.
func awsOperations() []need {
	return []need{
		{"aws.CreateSecret", "{space}/data/{path}", Create},
		{"aws.GetSecretValue", "{space}/data/{path}", Read},
		{"aws.BatchGetSecretValue", "{space}/metadata/", List},
		{"aws.BatchGetSecretValue.item", "{space}/data/{path}", Read},
		{"aws.PutSecretValue", "{space}/data/{path}", Update},
		{"aws.UpdateSecret", "{space}/data/{path}", Update},
		{"aws.UpdateSecret.metadata", "{space}/metadata/{path}", Update},
		{"aws.DescribeSecret", "{space}/metadata/{path}", Read},
		{"aws.ListSecrets", "{space}/metadata/", List},
		{"aws.ListSecrets.item", "{space}/metadata/{path}", Read},
		{"aws.ListSecretVersionIds", "{space}/metadata/{path}", Read},
		{"aws.DeleteSecret", "{space}/data/{path}", Delete},
		{"aws.DeleteSecret.force", "{space}/metadata/{path}", Delete},
		{"aws.RestoreSecret", "{space}/undelete/{path}", Update},
		{"aws.UpdateSecretVersionStage", "{space}/metadata/{path}", Update},
		{"aws.TagResource", "{space}/metadata/{path}", Update},
		{"aws.UntagResource", "{space}/metadata/{path}", Update},
		{"aws.GetRandomPassword", "{space}/tools/random", Read},
		{"aws.GetResourcePolicy", "{space}/policy/{path}", Read},
		{"aws.PutResourcePolicy", "{space}/policy/{path}", Update | Sudo},
		{"aws.DeleteResourcePolicy", "{space}/policy/{path}", Delete | Sudo},
		{"aws.ValidateResourcePolicy", "{space}/policy/{path}", Read},
		{"aws.RotateSecret", "{space}/rotate/{path}", Update},
		{"aws.CancelRotateSecret", "{space}/rotate/{path}", Delete},
		{"aws.ReplicateSecretToRegions", "{space}/replicate/{path}", Update},
		{"aws.RemoveRegionsFromReplication", "{space}/replicate/{path}", Delete},
		{"aws.StopReplicationToReplica", "{space}/replicate/{path}", Update},
		{"aws.GetCallerIdentity", "{space}/sts/identity", open},
		{"aws.AssumeRole", "{space}/sts/role/{path}", Update},
		{"aws.AssumeRoleWithWebIdentity", "{space}/sts/role/{path}", open},
		{"aws.GetSessionToken", "{space}/sts/session", Update},
		{"aws.GetAccessKeyInfo", "{space}/sts/access-key", Read},
	}
}

// gcpOperations are the methods of Google Cloud Secret Manager. Disabling takes a version away and can be undone, so it is Update on delete/, enabling Update
// on undelete/, destroying Update on destroy/, and deleting a whole secret, which Google does for good, Delete on metadata/.
func gcpOperations() []need {
	return []need{
		{"gcp.CreateSecret", "{space}/metadata/{path}", Create},
		{"gcp.GetSecret", "{space}/metadata/{path}", Read},
		{"gcp.UpdateSecret", "{space}/metadata/{path}", Update},
		{"gcp.UpdateSecret.aliases", "{space}/metadata/{path}", Update},
		{"gcp.DeleteSecret", "{space}/metadata/{path}", Delete},
		{"gcp.ListSecrets", "{space}/metadata/", List},
		{"gcp.ListSecrets.item", "{space}/metadata/{path}", Read},
		{"gcp.AddSecretVersion", "{space}/data/{path}", Update},
		{"gcp.AddSecretVersion.first", "{space}/data/{path}", Create},
		{"gcp.AccessSecretVersion", "{space}/data/{path}", Read},
		{"gcp.GetSecretVersion", "{space}/metadata/{path}", Read},
		{"gcp.ListSecretVersions", "{space}/metadata/{path}", Read},
		{"gcp.DisableSecretVersion", "{space}/delete/{path}", Update},
		{"gcp.EnableSecretVersion", "{space}/undelete/{path}", Update},
		{"gcp.DestroySecretVersion", "{space}/destroy/{path}", Update},
		{"gcp.GetIamPolicy", "{space}/policy/{path}", Read},
		{"gcp.SetIamPolicy", "{space}/policy/{path}", Update | Sudo},
		{"gcp.TestIamPermissions", "{space}/metadata/{path}", open}, // answers the caller's own reach
		{"gcp.ListLocations", "{space}/locations/", open},
		{"gcp.GetLocation", "{space}/locations/{path}", open},
		{"gcp.token", "{space}/token", open},
	}
}

// azureOperations are the calls of Azure Key Vault's secrets.
func azureOperations() []need {
	return []need{
		{"azure.SetSecret", "{space}/data/{path}", Update},
		{"azure.SetSecret.new", "{space}/data/{path}", Create},
		{"azure.GetSecret", "{space}/data/{path}", Read},
		{"azure.UpdateSecret", "{space}/metadata/{path}", Update},
		{"azure.UpdateSecret.disable", "{space}/delete/{path}", Update},
		{"azure.UpdateSecret.enable", "{space}/undelete/{path}", Update},
		{"azure.GetSecrets", "{space}/metadata/", List},
		{"azure.GetSecrets.item", "{space}/metadata/{path}", Read},
		{"azure.GetSecretVersions", "{space}/metadata/{path}", Read},
		{"azure.DeleteSecret", "{space}/data/{path}", Delete},
		{"azure.GetDeletedSecrets", "{space}/metadata/", List},
		{"azure.GetDeletedSecrets.item", "{space}/metadata/{path}", Read},
		{"azure.GetDeletedSecret", "{space}/metadata/{path}", Read},
		{"azure.RecoverDeletedSecret", "{space}/undelete/{path}", Update},
		{"azure.PurgeDeletedSecret", "{space}/metadata/{path}", Delete},
		{"azure.BackupSecret", "{space}/backup/{path}", Read},
		{"azure.RestoreSecret", "{space}/restore/{path}", Update},
		{"azure.token", "{space}/token", open},
	}
}

// nativeOperations are the house's own: what no dialect has words for. Search, tree and the like show only what the caller may see, item by item.
func nativeOperations() []need {
	return []need{
		{"native.search", "keephold/search", Update},
		{"native.search.item", "{space}/metadata/{path}", Read},
		{"native.tree", "{space}/metadata/{path}", List},
		{"native.tree.item", "{space}/metadata/{path}", Read},
		{"native.history", "{space}/metadata/{path}", Read},
		{"native.label.move", "{space}/metadata/{path}", Update},
		{"native.rollback", "{space}/data/{path}", Update},
		{"native.disable", "{space}/delete/{path}", Update},
		{"native.enable", "{space}/undelete/{path}", Update},
		{"native.restore", "{space}/undelete/{path}", Update},
		{"native.destroy", "{space}/destroy/{path}", Update},
		{"native.purge", "{space}/metadata/{path}", Delete},
		{"native.move.from", "{space}/metadata/{path}", Delete}, // with native.copy.from: what moves can be read at its new place
		{"native.copy.from", "{space}/data/{path}", Read},
		{"native.copy.to", "{space}/data/{path}", Create},
		{"native.who-can", "keephold/who-can", Read | Sudo},
		{"native.explain-self", "keephold/why", Update},
		{"native.explain", "keephold/explain", Read | Sudo},
		{"native.grant.list", "keephold/grants/", List},
		{"native.grant.read", "keephold/grants/{path}", Read},
		{"native.grant.update", "keephold/grants/{path}", Update | Sudo},
		{"native.grant.delete", "keephold/grants/{path}", Delete | Sudo},
		{"native.exposure.list", "keephold/exposures/", List},
		{"native.exposure.update", "keephold/exposures/{path}", Update | Sudo},
		{"native.exposure.delete", "keephold/exposures/{path}", Delete | Sudo},
		{"native.identity.list", "keephold/identities/", List},
		{"native.identity.read", "keephold/identities/{path}", Read},
		{"native.identity.create", "keephold/identities/{path}", Create | Sudo},
		{"native.identity.rotate", "keephold/identities/{path}", Update | Sudo},
		{"native.identity.trust", "keephold/identities/{path}", Update | Sudo},
		{"native.identity.delete", "keephold/identities/{path}", Delete | Sudo},
		{"native.identity.session", "keephold/session", open}, // a machine identity that proved who it is
		{"native.identity.lend", "keephold/identities/{path}/session", Update},
		{"native.space.make", "sys/mounts/{path}", Update},
		{"native.space.read", "sys/mounts/{path}", Read},
		{"native.space.protect", "sys/mounts/{path}", Update | Sudo},
		{"native.offline.report", "keephold/offline-reads", open}, // about the caller itself, who has to be known
		{"native.audit.read", "keephold/audit", Read | Sudo},
		{"native.audit.verify", "keephold/audit/verify", Read | Sudo},
		{"native.watch", "{space}/metadata/{path}", Subscribe},
		{"native.verify", "keephold/verify", Read | Sudo},
		{"native.whoami", "auth/token/lookup-self", Read},
	}
}
