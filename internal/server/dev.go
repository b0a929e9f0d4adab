package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/approle"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// DevConfig of a server for one developer: unsealed, with a Space and an AppRole ready to use.
type DevConfig struct {
	Listen  []string // addresses; empty is 127.0.0.1:8200 and [::1]:8200
	Token   string   // root token; "" makes one
	Dir     string   // keep the data here; "" in memory
	As      []string // further faces of the dialects' Spaces: "aws:123456789012/eu-west-1"
	Version string

	PlaintextAnywhere bool // serve plaintext on addresses that are not loopback
}

// Dev is a running development server.
type Dev struct {
	*Server
	Addr     string // URL
	CAFile   string // of the certificate by which the same addresses answer TLS
	Token    secret.Value
	RoleID   string
	SecretID secret.Value

	Identities map[machine.Kind]machine.Credential
}

// OpenDev opens the keep, makes what a developer needs, and takes the addresses. Nothing is served before Run.
func OpenDev(ctx context.Context, cfg DevConfig) (*Dev, error) {
	listeners, err := listenDev(cfg.Listen)
	if err != nil {
		return nil, err
	}
	k, err := OpenKeep(KeepConfig{Dir: cfg.Dir, WeakIDs: true, Version: cfg.Version})
	if err != nil {
		closeAll(listeners)
		return nil, err
	}
	d := &Dev{Addr: "http://" + publicAddr(listeners[0].Addr())}
	if !isLoopback(listeners[0].Addr()) && !cfg.PlaintextAnywhere {
		d.Addr = "https://" + publicAddr(listeners[0].Addr())
	}
	err = d.furnish(ctx, k, cfg)
	if err == nil {
		err = d.secure(listeners, k, cfg)
	}
	if err != nil {
		closeAll(listeners)
		return nil, errors.Join(err, k.Close(ctx))
	}
	d.Server, err = New(Config{Keep: k, Listeners: listeners, Version: cfg.Version, Azure: AzureFile{Domain: DevDomain, Vault: DevVault, Tenant: DevTenant}, AnyRegion: true, GoogleProjects: map[string]int64{DevProject: 1}})
	return d, err
}

// furnish makes the token, the Space "secret" and the AppRole "dev", unless a kept store has them.
func (d *Dev) furnish(ctx context.Context, k *Keep, cfg DevConfig) error {
	var root auth.Issued
	var err error
	if cfg.Dir == "" {
		root, err = k.InitializeInMemory(ctx)
	} else {
		root, err = k.UnsealByKeyFile(ctx, filepath.Join(cfg.Dir, "key"))
	}
	if err != nil {
		return err
	}
	local, err := k.Desk.Local()
	if err != nil {
		return err
	}
	d.Token = root.Token
	if d.Token.Len() == 0 || cfg.Token != "" {
		again, err := custody.Do(ctx, k.Desk, local, auth.Create{OrphanPath: true, Policies: []string{"root"}, DisplayName: "dev", ID: auth.NewProof([]byte(cfg.Token))})
		switch {
		case err == nil:
			d.Token = again.Token
		case cfg.Token == "" || !errors.Is(err, secret.ErrInvalid): // a kept store knows the token already
			return err
		default:
			d.Token = secret.NewValue([]byte(cfg.Token))
		}
	}
	for _, sp := range devSpaces() {
		if _, err := custody.Do(ctx, k.Desk, local, registry.MakeSpace{Space: sp}); err != nil && !errors.Is(err, secret.ErrExists) {
			return err
		}
	}
	_, err = custody.Do(ctx, k.Desk, local, registry.MakeMount{Mount: registry.Mount{Name: "approle", Type: "approle"}})
	if err != nil && !errors.Is(err, secret.ErrExists) {
		return err
	}
	if err := d.makeRole(ctx, k, local); err != nil {
		return err
	}
	return d.expose(ctx, k, local, cfg.As)
}

const devPolicy = `path "secret/*" { capabilities = ["create", "read", "update", "patch", "delete", "list", "scan"] }
path "aws/*"    { capabilities = ["create", "read", "update", "patch", "delete", "list", "scan", "sudo"] }
path "gcp/*"    { capabilities = ["create", "read", "update", "patch", "delete", "list", "scan", "sudo"] }
path "azure/*"  { capabilities = ["create", "read", "update", "patch", "delete", "list", "scan", "sudo"] }`

func (d *Dev) makeRole(ctx context.Context, k *Keep, local auth.Caller) error {
	name, err := policy.NormalizeName("dev")
	if err != nil {
		return err
	}
	if _, err := custody.Do(ctx, k.Desk, local, registry.WritePolicy{Name: name, Text: devPolicy, Resource: "sys/policies/acl/dev"}); err != nil {
		return err
	}
	m, ok := k.Desk.Table().Mount("", "approle")
	if !ok {
		return errors.New("dev: the approle mount is gone")
	}
	mount := auth.Mount{Path: m.Name, Accessor: m.Accessor}
	_, err = custody.Do(ctx, k.Desk, local, approle.WriteRole{Mount: mount, Role: "dev", Change: func(r *approle.Role, _ bool) error {
		r.Token.Policies = []string{"dev"}
		return nil
	}})
	if err != nil {
		return err
	}
	role, err := custody.Do(ctx, k.Desk, local, approle.ReadRole{Mount: mount, Role: "dev"})
	if err != nil {
		return err
	}
	made, err := custody.Do(ctx, k.Desk, local, approle.NewSecretID{Mount: mount, Role: "dev"})
	if err != nil {
		return err
	}
	d.RoleID, d.SecretID = role.RoleID, made.SecretID
	return nil
}

// listenDev takes every address, or none.
func listenDev(addrs []string) ([]net.Listener, error) {
	optional := len(addrs) == 0
	if optional {
		addrs = []string{"127.0.0.1:8200", "[::1]:8200"}
	}
	var all []net.Listener
	for i, a := range addrs {
		l, err := net.Listen("tcp", a)
		if err != nil && optional && i > 0 && !errors.Is(err, syscall.EADDRINUSE) {
			continue // a machine without IPv6
		}
		if err != nil {
			closeAll(all)
			return nil, fmt.Errorf("address %s: %w (another server is using it? choose one with --listen 127.0.0.1:%d)", a, err, 8201)
		}
		all = append(all, l)
	}
	return all, nil
}

func publicAddr(a net.Addr) string {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return a.String()
	}
	if t.IP.IsLoopback() || t.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(t.Port))
	}
	return t.String()
}

func closeAll(ls []net.Listener) {
	for _, l := range ls {
		_ = l.Close() // nothing was served on it
	}
}
