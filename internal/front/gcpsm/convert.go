package gcpsm

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/keephold/keephold/internal/secret"
)

// Facts of this dialect: what the house has no word for.
const (
	factSecret   = "gcp.secret"   // the members of a Secret that are only kept, as protobuf
	factLocation = "gcp.location" // of a regional secret
	factChecksum = "gcp.checksum" // of a version whose client gave one
)

// kept is what is stored as a fact: replication, topics, rotation, annotations, encryption, tags, type.
func kept(s *secretmanagerpb.Secret) *secretmanagerpb.Secret {
	return &secretmanagerpb.Secret{
		Replication: s.Replication, Topics: s.Topics, Rotation: s.Rotation, Annotations: s.Annotations,
		CustomerManagedEncryption: s.CustomerManagedEncryption, Tags: s.Tags, SecretType: s.SecretType,
	}
}

// keptOf reads it back. A secret of another dialect has none.
func keptOf(h *secret.Head) (*secretmanagerpb.Secret, error) {
	s := new(secretmanagerpb.Secret)
	if text := secret.Fact(h.Facts, factSecret); text != "" {
		if err := proto.Unmarshal([]byte(text), s); err != nil {
			return nil, secret.ErrDamaged
		}
	}
	if s.Replication == nil && secret.Fact(h.Facts, factLocation) == "" {
		s.Replication = automatic()
	}
	return s, nil
}

func automatic() *secretmanagerpb.Replication {
	return &secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{}}}
}

// withKept replaces that fact and leaves the others.
func withKept(facts []secret.Pair, s *secretmanagerpb.Secret) ([]secret.Pair, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(kept(s))
	if err != nil {
		return nil, err
	}
	out := []secret.Pair{{Key: factSecret, Value: string(b)}}
	for _, f := range facts {
		if f.Key != factSecret {
			out = append(out, f)
		}
	}
	return out, nil
}

// secretMessage is a Secret as answers have it.
func (p place) secretMessage(h *secret.Head) (*secretmanagerpb.Secret, error) {
	s, err := keptOf(h)
	if err != nil {
		return nil, err
	}
	s.Name, s.CreateTime, s.Etag = p.secretName(), timestamppb.New(h.Created), secretEtag(h)
	if len(h.Custom) > 0 {
		s.Labels = make(map[string]string, len(h.Custom))
		for _, c := range h.Custom {
			s.Labels[c.Key] = c.Value
		}
	}
	if at := h.Settings.ExpiresAt; !at.IsZero() {
		s.Expiration = &secretmanagerpb.Secret_ExpireTime{ExpireTime: timestamppb.New(at)}
	}
	if d := h.Settings.DestroyDelay; d > 0 {
		s.VersionDestroyTtl = durationpb.New(d)
	}
	if aliases := aliasesOf(h); len(aliases) > 0 {
		s.VersionAliases = aliases
	}
	return s, nil
}

func aliasesOf(h *secret.Head) map[string]int64 {
	out := map[string]int64{}
	for i := range h.Versions {
		for _, l := range h.Versions[i].Labels {
			if alias, ok := aliasOf(l); ok {
				out[alias] = int64(h.Versions[i].Number)
			}
		}
	}
	return out
}

// versionMessage is a SecretVersion as answers have it. What another dialect deleted, and could bring back, reads as disabled.
func (p place) versionMessage(h *secret.Head, v *secret.Version, now time.Time) *secretmanagerpb.SecretVersion {
	m := &secretmanagerpb.SecretVersion{
		Name: p.numbered(v.Number), CreateTime: timestamppb.New(v.Created), Etag: versionEtag(h, v),
		ClientSpecifiedPayloadChecksum: secret.Fact(v.Facts, factChecksum) != "",
		ReplicationStatus:              replicationStatus(h),
	}
	switch v.StateAt(now) {
	case secret.Enabled:
		m.State = secretmanagerpb.SecretVersion_ENABLED
	case secret.Destroyed:
		m.State = secretmanagerpb.SecretVersion_DESTROYED
		if !v.Destroyed.IsZero() {
			m.DestroyTime = timestamppb.New(v.Destroyed)
		}
	default:
		m.State = secretmanagerpb.SecretVersion_DISABLED
		if !v.Destroyed.IsZero() {
			m.ScheduledDestroyTime = timestamppb.New(v.Destroyed)
		}
	}
	return m
}

// replicationStatus mirrors how the secret is said to be replicated.
func replicationStatus(h *secret.Head) *secretmanagerpb.ReplicationStatus {
	s, err := keptOf(h)
	if err != nil || s.Replication == nil {
		return nil
	}
	managed := s.Replication.GetUserManaged()
	if managed == nil {
		return &secretmanagerpb.ReplicationStatus{ReplicationStatus: &secretmanagerpb.ReplicationStatus_Automatic{Automatic: &secretmanagerpb.ReplicationStatus_AutomaticStatus{}}}
	}
	out := &secretmanagerpb.ReplicationStatus_UserManagedStatus{}
	for _, r := range managed.Replicas {
		out.Replicas = append(out.Replicas, &secretmanagerpb.ReplicationStatus_UserManagedStatus_ReplicaStatus{Location: r.Location})
	}
	return &secretmanagerpb.ReplicationStatus{ReplicationStatus: &secretmanagerpb.ReplicationStatus_UserManaged{UserManaged: out}}
}

// secretEtag changes with whatever is known of a secret besides its versions: their numbers, states and bytes.
func secretEtag(h *secret.Head) string {
	var labels []string
	for i := range h.Versions {
		for _, l := range h.Versions[i].Labels {
			if !isHouseLabel(l) {
				labels = append(labels, l+"="+strconv.FormatUint(h.Versions[i].Number, 10))
			}
		}
	}
	bare := secret.Head{UID: h.UID, Name: strings.Join(labels, ","), Created: h.Created, Custom: h.Custom, About: h.About, Settings: h.Settings, Revision: h.Revision, Facts: h.Facts}
	return quote(secret.AppendHead(nil, &bare))
}

// versionEtag changes with the state of a version.
func versionEtag(h *secret.Head, v *secret.Version) string {
	b := append([]byte(h.UID), 0)
	for _, n := range []uint64{v.Number, uint64(v.State), nanos(v.Changed), nanos(v.Deleted), nanos(v.Destroyed)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return quote(b)
}

func nanos(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixNano())
}

// quote makes an opaque etag: quotes belong to it (RFC 9110, section 8.8.3).
func quote(b []byte) string {
	sum := sha256.Sum256(b)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}

// matches checks the etag that a client sent, if it did.
func matches(sent, is, what string) error {
	if sent == "" || sent == is {
		return nil
	}
	return &aboutError{&fault{abortedCode, "The etag provided does not match that of " + what + "."}, what}
}
