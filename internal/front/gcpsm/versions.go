package gcpsm

import (
	"errors"
	"hash/crc32"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

const abortedCode = codes.Aborted

// maxPayload is the vendor's bound of one version (https://cloud.google.com/secret-manager/quotas).
const maxPayload = 64 << 10

// castagnoli is the polynomial of the vendor's checksums.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) int64 { return int64(crc32.Checksum(b, castagnoli)) }

func (c *call) addVersion(in *secretmanagerpb.AddSecretVersionRequest) (*secretmanagerpb.SecretVersion, error) {
	n, err := parseSecret(in.Parent)
	if err != nil {
		return nil, err
	}
	p, err := c.locate(n)
	if err != nil {
		return nil, err
	}
	data := in.Payload.GetData()
	switch {
	case len(data) == 0:
		return nil, bad("Secret Payload cannot be empty.")
	case len(data) > maxPayload:
		return nil, bad("The payload is %d bytes; at most %d are kept.", len(data), maxPayload)
	case in.Payload.DataCrc32C != nil && *in.Payload.DataCrc32C != checksum(data):
		return nil, bad("The payload's data_crc32c does not match its data: it was changed on the way.")
	}
	put := custody.Put{Value: secret.NewValue(data), Kind: secret.Binary, Existing: true, Check: func(h *secret.Head) error { return p.isHere(h, c.now()) }}
	if utf8.Valid(data) {
		put.Kind = secret.Text
	}
	if in.Payload.DataCrc32C != nil {
		put.Facts = []secret.Pair{{Key: factChecksum, Value: "crc32c"}}
	}
	r, err := c.front.desk.Write(c.ctx, c.caller, p.ref, put)
	if err != nil {
		return nil, about(err, p.aSecret())
	}
	return p.versionMessage(r.Head, &r.Version, c.now()), nil
}

func (c *call) access(in *secretmanagerpb.AccessSecretVersionRequest) (*secretmanagerpb.AccessSecretVersionResponse, error) {
	n, err := parseVersion(in.Name)
	if err != nil {
		return nil, err
	}
	p, err := c.locate(n)
	if err != nil {
		return nil, err
	}
	ref, err := p.selector()
	if err != nil {
		return nil, err
	}
	r, err := c.front.desk.Read(c.ctx, c.caller, ref)
	if err == nil {
		err = p.isHere(r.Head, c.now())
	}
	if err != nil {
		if n.version == latest && errors.Is(err, secret.ErrNotFound) {
			return nil, about(err, "Secret ["+p.secretName()+"] or one of its versions")
		}
		return nil, about(err, p.aVersion(r.Version.Number))
	}
	data := r.Value.Reveal()
	return &secretmanagerpb.AccessSecretVersionResponse{
		Name: p.numbered(r.Version.Number), Payload: &secretmanagerpb.SecretPayload{Data: data, DataCrc32C: proto.Int64(checksum(data))},
	}, nil
}

func (c *call) getVersion(in *secretmanagerpb.GetSecretVersionRequest) (*secretmanagerpb.SecretVersion, error) {
	n, err := parseVersion(in.Name)
	if err != nil {
		return nil, err
	}
	p, err := c.locate(n)
	if err != nil {
		return nil, err
	}
	ref, err := p.selector()
	if err != nil {
		return nil, err
	}
	h, err := c.front.desk.Describe(c.ctx, c.caller, ref)
	if err == nil {
		err = p.isHere(h, c.now())
	}
	if err != nil {
		return nil, about(err, p.aVersion(0))
	}
	v, err := p.pick(h, ref)
	if err != nil {
		return nil, about(err, p.aVersion(0))
	}
	return p.versionMessage(h, v, c.now()), nil
}

func (c *call) listVersions(in *secretmanagerpb.ListSecretVersionsRequest) (*secretmanagerpb.ListSecretVersionsResponse, error) {
	n, err := parseSecret(in.Parent)
	if err != nil {
		return nil, err
	}
	p, err := c.locate(n)
	if err != nil {
		return nil, err
	}
	f, err := parseFilter(in.Filter, versionFields)
	if err != nil {
		return nil, err
	}
	size, err := pageSize(in.PageSize)
	if err != nil {
		return nil, err
	}
	from, err := parsePage(in.PageToken, p.secretName(), in.Filter)
	if err != nil {
		return nil, err
	}
	before := uint64(1 << 63)
	if from.after != "" {
		if before, err = strconv.ParseUint(from.after, 10, 63); err != nil {
			return nil, errPage
		}
	}
	h, err := c.front.desk.Describe(c.ctx, c.caller, p.ref)
	if err == nil {
		err = p.isHere(h, c.now())
	}
	if err != nil {
		return nil, about(err, p.aSecret())
	}
	out := &secretmanagerpb.ListSecretVersionsResponse{}
	if in.Filter == "" {
		out.TotalSize = int32(len(h.Versions))
	}
	now := c.now()
	for _, v := range slices.Backward(h.Versions) {
		if v.Number >= before || !f.holds(p.versionFacts(&v, now)) {
			continue
		}
		if len(out.Versions) == size {
			last := before
			out.NextPageToken = page{-1, strconv.FormatUint(last, 10)}.token(p.secretName(), in.Filter)
			return out, nil
		}
		out.Versions = append(out.Versions, p.versionMessage(h, &v, now))
		before = v.Number
	}
	return out, nil
}

func (p place) versionFacts(v *secret.Version, now time.Time) facts {
	return func(field string) ([]string, bool) {
		switch field {
		case "name":
			return []string{p.numbered(v.Number)}, true
		case "state":
			switch v.StateAt(now) {
			case secret.Enabled:
				return []string{"ENABLED"}, true
			case secret.Destroyed:
				return []string{"DESTROYED"}, true
			}
			return []string{"DISABLED"}, true
		case "create_time":
			return stamp(v.Created), true
		case "destroy_time":
			return stamp(v.Destroyed), true
		}
		return nil, false
	}
}

func stamp(t time.Time) []string {
	if t.IsZero() {
		return nil
	}
	return []string{t.UTC().Format(time.RFC3339Nano)}
}

func (c *call) disable(in *secretmanagerpb.DisableSecretVersionRequest) (*secretmanagerpb.SecretVersion, error) {
	return c.setState(in.Name, in.Etag, secret.Disabled)
}

func (c *call) enable(in *secretmanagerpb.EnableSecretVersionRequest) (*secretmanagerpb.SecretVersion, error) {
	return c.setState(in.Name, in.Etag, secret.Enabled)
}

func (c *call) destroy(in *secretmanagerpb.DestroySecretVersionRequest) (*secretmanagerpb.SecretVersion, error) {
	return c.setState(in.Name, in.Etag, secret.Destroyed)
}

func (c *call) setState(name, etag string, to secret.State) (*secretmanagerpb.SecretVersion, error) {
	n, err := parseVersion(name)
	if err != nil {
		return nil, err
	}
	p, err := c.locate(n)
	if err != nil {
		return nil, err
	}
	ref, err := p.numberOnly()
	if err != nil {
		return nil, err
	}
	h, number, err := c.front.desk.SetState(c.ctx, c.caller, ref, custody.Transition{To: to, Check: func(h *secret.Head, v *secret.Version) error {
		if err := p.isHere(h, c.now()); err != nil {
			return err
		}
		return matches(etag, versionEtag(h, v), p.aVersion(v.Number))
	}})
	if err != nil {
		return nil, about(err, p.aVersion(ref.Number))
	}
	return p.versionMessage(h, h.Find(number), c.now()), nil
}
