package policy

import (
	"cmp"
	"slices"
	"strings"
)

// Verbs may be in the words of a vendor, too: an action of IAM's ("secretsmanager:GetSecretValue"), a role of Google's
// ("roles/secretmanager.viewer"), a permission of an Azure access policy ("azure:get"). What such a verb gives follows from the
// table of operations: the rows that the vendor's own clients need for it, and nothing more. Rules know no dialects, so what is
// given in the words of one vendor is given to the clients of all.

// words is every verb of the vendors, with the operations that it gives. It is made once and never written again.
var words = func() map[Verb][]Operation {
	all := map[Verb][]Operation{}
	for _, n := range awsOperations() {
		name, part, _ := strings.Cut(strings.TrimPrefix(string(n.op), "aws."), ".")
		if strings.Contains(n.form, "/sts/") || name == "BatchGetSecretValue" && part == "item" {
			continue // STS is no part of Secrets Manager, and the values of a batch take GetSecretValue
		}
		v := Verb("secretsmanager:" + name)
		all[v] = append(all[v], n.op)
	}
	viewer := []Operation{"gcp.GetSecret", "gcp.ListSecrets", "gcp.ListSecrets.item", "gcp.GetSecretVersion", "gcp.ListSecretVersions", "gcp.GetIamPolicy"}
	adder := []Operation{"gcp.AddSecretVersion", "gcp.AddSecretVersion.first"}
	admin := []Operation{}
	for _, n := range gcpOperations() {
		if n.caps != open {
			admin = append(admin, n.op)
		}
	}
	// https://cloud.google.com/secret-manager/docs/access-control#secretmanager.roles
	all["roles/secretmanager.secretAccessor"] = []Operation{"gcp.AccessSecretVersion"}
	all["roles/secretmanager.viewer"] = viewer
	all["roles/secretmanager.secretVersionAdder"] = adder
	all["roles/secretmanager.secretVersionManager"] = append([]Operation{
		"gcp.GetSecretVersion", "gcp.ListSecretVersions", "gcp.EnableSecretVersion", "gcp.DisableSecretVersion", "gcp.DestroySecretVersion",
	}, adder...)
	all["roles/secretmanager.admin"] = admin
	// https://learn.microsoft.com/azure/key-vault/general/assign-access-policy. Enabling a version is bringing it back, and disabling it taking it
	// away, whichever dialect asks: they go with recover and delete, not with set.
	all["azure:get"] = []Operation{"azure.GetSecret"}
	all["azure:list"] = []Operation{"azure.GetSecrets", "azure.GetSecrets.item", "azure.GetSecretVersions", "azure.GetDeletedSecrets", "azure.GetDeletedSecrets.item"}
	all["azure:set"] = []Operation{"azure.SetSecret", "azure.SetSecret.new", "azure.UpdateSecret"}
	all["azure:delete"] = []Operation{"azure.DeleteSecret", "azure.UpdateSecret.disable"}
	all["azure:recover"] = []Operation{"azure.RecoverDeletedSecret", "azure.UpdateSecret.enable"}
	all["azure:purge"] = []Operation{"azure.PurgeDeletedSecret"}
	all["azure:backup"] = []Operation{"azure.BackupSecret"}
	all["azure:restore"] = []Operation{"azure.RestoreSecret"}
	return all
}()

// Words lists the verbs of the vendors that begin with prefix ("secretsmanager:", "roles/", "azure:"), sorted.
func Words(prefix string) []Verb {
	var out []Verb
	for v := range words {
		if strings.HasPrefix(string(v), prefix) {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// ParseWord finds the verb of a vendor, whatever its case.
func ParseWord(s string) (Verb, bool) {
	if _, ok := words[Verb(s)]; ok {
		return Verb(s), true
	}
	for v := range words {
		if strings.EqualFold(string(v), s) {
			return v, true
		}
	}
	return "", false
}

// OnSpace reports whether a vendor's verb is about a Space and no single secret: a list, a random password.
func (v Verb) OnSpace() bool {
	return !slices.ContainsFunc(words[v], func(o Operation) bool { return !o.giving().whole }) || v == "secretsmanager:ListSecrets" || v == "azure:list"
}

// OnSecret reports whether a vendor's verb may be given on one secret that is there.
func (v Verb) OnSecret() bool {
	return !v.OnSpace() && v != "secretsmanager:CreateSecret" // what is there is not made
}

// giving is what an operation takes, as a grant gives it.
func (o Operation) giving() giving {
	n := table()[o]
	word := strings.TrimPrefix(n.form, "{space}/")
	if rest, ok := strings.CutSuffix(word, "/{path}"); ok {
		return giving{word: rest, caps: n.caps}
	}
	return giving{word: word, caps: n.caps, whole: true}
}

// wordGivings is what a vendor's verb gives, each resource once.
func wordGivings(v Verb) []giving {
	var out []giving
	for _, o := range words[v] {
		g := o.giving()
		at := slices.IndexFunc(out, func(have giving) bool { return have.word == g.word && have.whole == g.whole })
		if at < 0 {
			out = append(out, g)
			continue
		}
		out[at].caps |= g.caps
	}
	slices.SortFunc(out, func(a, b giving) int { return cmp.Compare(a.word, b.word) })
	return out
}

// Also lists the verbs of the same vendor that the given ones give, or with deny keep away, without naming them: rules are coarser than
// actions, and TagResource is no different from UpdateSecretVersionStage here. A policy that says less than it would do must not be taken. What
// only reads what a named verb reads already is not listed.
func Also(verbs []Verb, deny bool) []Verb {
	has := map[string]Capability{}
	prefix := ""
	for _, v := range verbs {
		prefix, _, _ = strings.Cut(string(v), ":")
		for _, g := range wordGivings(v) {
			has[g.word] |= g.caps
		}
	}
	var out []Verb
	for _, v := range Words(prefix + ":") {
		if !slices.Contains(verbs, v) && v.OnSecret() && implied(v, has, deny) {
			out = append(out, v)
		}
	}
	return out
}

func implied(v Verb, has map[string]Capability, deny bool) bool {
	harmless, every := true, true
	touched := false
	for _, g := range wordGivings(v) {
		harmless = harmless && g.caps == Read
		every = every && has[g.word].Has(g.caps)
		touched = touched || has[g.word]&g.caps != 0
	}
	if deny {
		return touched && !harmless
	}
	return every && !harmless
}
