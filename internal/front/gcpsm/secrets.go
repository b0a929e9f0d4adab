package gcpsm

import (
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

func (c *call) now() time.Time { return c.front.cfg.Now() }

// isHere says whether a secret is one of this parent: a regional one is found in its region only, a global one only where
// no region is named, and one that has expired nowhere.
func (p place) isHere(h *secret.Head, now time.Time) error {
	if at := h.Settings.ExpiresAt; secret.Fact(h.Facts, factLocation) != p.location || !at.IsZero() && !now.Before(at) {
		return fmt.Errorf("%s: %w", p.ref, secret.ErrNotFound)
	}
	return nil
}

func (c *call) createSecret(in *secretmanagerpb.CreateSecretRequest) (*secretmanagerpb.Secret, error) {
	n, err := parseParent(in.Parent)
	if err != nil {
		return nil, err
	}
	if n.secret = in.SecretId; n.secret == "" {
		return nil, bad("secret_id is required.")
	}
	p, err := c.locate(n)
	if err != nil {
		return nil, err
	}
	s := in.Secret
	if s == nil {
		return nil, bad("secret is required.")
	}
	if err := checkReplication(s.Replication, n.location); err != nil {
		return nil, err
	}
	if len(s.VersionAliases) > 0 {
		return nil, bad("version_aliases cannot be set on a secret that has no versions yet.")
	}
	cfg, err := c.configuration(s, nil, everyPath)
	if err != nil {
		return nil, err
	}
	facts, err := withKept(nil, s)
	if err != nil {
		return nil, err
	}
	if n.location != "" {
		facts = append(facts, secret.Pair{Key: factLocation, Value: n.location})
	}
	cfg.Facts = &facts
	h, err := c.front.desk.Make(c.ctx, c.caller, p.ref, "", cfg)
	if err != nil {
		return nil, about(err, p.aSecret())
	}
	return p.secretMessage(h)
}

func checkReplication(r *secretmanagerpb.Replication, location string) error {
	switch {
	case location != "" && r != nil:
		return bad("Secret.replication must not be set for a regional secret.")
	case location != "":
		return nil
	case r.GetAutomatic() == nil && r.GetUserManaged() == nil:
		return bad("Secret.replication must be provided: automatic or user_managed.")
	}
	seen := map[string]bool{}
	for _, replica := range r.GetUserManaged().GetReplicas() {
		if replica.GetLocation() == "" || seen[replica.Location] {
			return bad("Each replica must name a location of its own.")
		}
		seen[replica.Location] = true
	}
	if r.GetUserManaged() != nil && len(seen) == 0 {
		return bad("User-managed replication must have at least one replica.")
	}
	return nil
}

func (c *call) getSecret(in *secretmanagerpb.GetSecretRequest) (*secretmanagerpb.Secret, error) {
	n, err := parseSecret(in.Name)
	if err != nil {
		return nil, err
	}
	p, err := c.locate(n)
	if err != nil {
		return nil, err
	}
	h, err := c.front.desk.Describe(c.ctx, c.caller, p.ref)
	if err == nil {
		err = p.isHere(h, c.now())
	}
	if err != nil {
		return nil, about(err, p.aSecret())
	}
	return p.secretMessage(h)
}

func (c *call) updateSecret(in *secretmanagerpb.UpdateSecretRequest) (*secretmanagerpb.Secret, error) {
	if in.Secret == nil {
		return nil, bad("secret is required.")
	}
	n, err := parseSecret(in.Secret.Name)
	if err != nil {
		return nil, err
	}
	p, err := c.locate(n)
	if err != nil {
		return nil, err
	}
	paths, err := maskPaths(in.UpdateMask.GetPaths())
	if err != nil {
		return nil, err
	}
	h, err := c.front.desk.Revise(c.ctx, c.caller, p.ref, func(h *secret.Head) (custody.Configuration, error) {
		if err := p.isHere(h, c.now()); err != nil {
			return custody.Configuration{}, err
		}
		if err := matches(in.Secret.Etag, secretEtag(h), p.aSecret()); err != nil {
			return custody.Configuration{}, err
		}
		return c.configuration(in.Secret, h, paths)
	})
	if err != nil {
		return nil, about(err, p.aSecret())
	}
	return p.secretMessage(h)
}

// deleteSecret is for good, in this dialect. Where others reach the secret, or the Space is protected, that is not what
// they were promised.
func (c *call) deleteSecret(in *secretmanagerpb.DeleteSecretRequest) (*emptypb.Empty, error) {
	n, err := parseSecret(in.Name)
	if err != nil {
		return nil, err
	}
	p, err := c.locate(n)
	if err != nil {
		return nil, err
	}
	err = c.front.desk.Expunge(c.ctx, c.caller, p.ref, func(h *secret.Head) error {
		if err := p.isHere(h, c.now()); err != nil {
			return err
		}
		switch {
		case p.space != nil && p.space.Settings.Protected:
			return faultf(codes.FailedPrecondition, "%s is in a protected project: it can be deleted with its versions only where that can be taken back.", p.aSecret())
		case p.space != nil && (p.faces > 1 || p.space.Home != secret.GCP):
			return faultf(codes.FailedPrecondition, "%s is shared with clients of other clouds: destroy its versions, or delete it where that can be taken back.", p.aSecret())
		}
		return matches(in.Etag, secretEtag(h), p.aSecret())
	})
	if err != nil {
		return nil, about(err, p.aSecret())
	}
	return &emptypb.Empty{}, nil
}

func (c *call) listSecrets(in *secretmanagerpb.ListSecretsRequest) (*secretmanagerpb.ListSecretsResponse, error) {
	n, err := parseParent(in.Parent)
	if err != nil {
		return nil, err
	}
	p, err := c.locate(n)
	if err != nil {
		return nil, err
	}
	f, err := parseFilter(in.Filter, secretFields)
	if err != nil {
		return nil, err
	}
	size, err := pageSize(in.PageSize)
	if err != nil {
		return nil, err
	}
	from, err := parsePage(in.PageToken, p.parent(), in.Filter)
	if err != nil {
		return nil, err
	}
	now := c.now()
	at := func(path secret.Path) (place, bool) {
		one := p
		id, ok := name(path)
		one.secret = id
		return one, ok
	}
	stock, err := c.front.desk.Inventory(c.ctx, c.caller, custody.Stocktaking{
		Namespace: p.ref.Namespace, Space: p.ref.Space, After: from.after, Limit: size,
		Count: in.Filter == "" && in.PageToken == "" && p.location == "",
		Named: func(path secret.Path) bool { _, ok := at(path); return ok },
		Keep: func(path secret.Path, h *secret.Head) bool {
			one, ok := at(path)
			return ok && one.isHere(h, now) == nil && f.holds(one.secretFacts(h))
		},
	})
	if err != nil {
		return nil, about(err, "Project ["+p.parent()+"]")
	}
	out := &secretmanagerpb.ListSecretsResponse{}
	if in.PageToken == "" {
		from.total = stock.Count
	}
	if from.total > 0 {
		out.TotalSize = int32(from.total)
	}
	for _, item := range stock.Items {
		one, _ := at(item.Path)
		s, err := one.secretMessage(item.Head)
		if err != nil {
			return nil, err
		}
		out.Secrets = append(out.Secrets, s)
	}
	out.NextPageToken = page{from.total, stock.Next}.token(p.parent(), in.Filter)
	return out, nil
}

// secretFacts are what a filter sees of a secret.
func (p place) secretFacts(h *secret.Head) facts {
	var m *secretmanagerpb.Secret
	return func(field string) ([]string, bool) {
		if field == "name" {
			return []string{p.secretName()}, true
		}
		if m == nil {
			var err error
			if m, err = p.secretMessage(h); err != nil {
				return nil, false
			}
		}
		head, key, _ := strings.Cut(field, ".")
		switch head {
		case "labels":
			return ofMap(m.Labels, key)
		case "annotations":
			return ofMap(m.Annotations, key)
		case "version_aliases":
			words := map[string]string{}
			for k, n := range m.VersionAliases {
				words[k] = decimal(n)
			}
			return ofMap(words, key)
		case "topics":
			var out []string
			for _, t := range m.Topics {
				out = append(out, t.Name)
			}
			return out, true
		case "create_time":
			return stamp(h.Created), true
		case "expire_time":
			return stamp(h.Settings.ExpiresAt), true
		case "secret_type":
			return []string{m.SecretType.String()}, true
		case "replication":
			return replicationFacts(m.Replication, key), true
		}
		return nil, false
	}
}

func replicationFacts(r *secretmanagerpb.Replication, key string) []string {
	switch {
	case strings.HasPrefix(key, "automatic"):
		if r.GetAutomatic() != nil {
			return []string{"automatic"}
		}
	case strings.HasPrefix(key, "user_managed"), strings.HasPrefix(key, "userManaged"):
		var out []string
		for _, replica := range r.GetUserManaged().GetReplicas() {
			out = append(out, replica.Location)
		}
		return out
	}
	return nil
}

// ofMap is the value of a key, or without one all keys.
func ofMap(m map[string]string, key string) ([]string, bool) {
	if key != "" {
		v, ok := m[key]
		if !ok {
			return nil, false
		}
		return []string{v}, true
	}
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out, true
}

func (c *call) enableRotation(*secretmanagerpb.EnableManagedRotationRequest) (*secretmanagerpb.SecretVersion, error) {
	return nil, c.unimplemented()
}

func (c *call) rotate(*secretmanagerpb.RotateSecretRequest) (*secretmanagerpb.SecretVersion, error) {
	return nil, c.unimplemented()
}

func (c *call) unimplemented() error {
	return faultf(codes.Unimplemented, "%s is not implemented here.", c.method.name)
}
