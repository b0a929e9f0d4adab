package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/ownkey"
	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/keyfile"
	"github.com/keephold/keephold/internal/seal/passphrase"
)

// Opened is a server made from a configuration file, ready to Run.
type Opened struct {
	*Server
	Addrs  []string
	CAFile string // where clients find our own CA; "" when it is not used
}

// Open opens the keep that a configuration names, unseals it where the seal needs nobody, and takes the addresses.
func Open(ctx context.Context, f File, version string, logs io.Writer) (*Opened, error) {
	log, err := logger(f.Log, logs)
	if err != nil {
		return nil, err
	}
	cfg := KeepConfig{
		Version:  version,
		AuditDir: f.Audit.Dir, SyncAlways: f.Audit.Sync == "always", SyncInterval: time.Duration(f.Audit.SyncInterval), CacheBytes: int64(f.Storage.Cache),
		DefaultTTL: time.Duration(f.Token.DefaultTTL), MaxTTL: time.Duration(f.Token.MaxTTL),
		OnError: func(err error) {
			log.Error("audit log is not available: nothing is served until it is", slog.String("error", err.Error()))
		},
	}
	if f.Storage.Kind == "bbolt" {
		cfg.Dir = f.Storage.Path
	}
	if cfg.AutoSeal, err = autoSeal(f.Seal); err != nil {
		return nil, err
	}
	k, err := OpenKeep(cfg)
	if err != nil {
		return nil, err
	}
	if err := unsealBySelf(ctx, k, f.Seal); err != nil {
		return nil, errors.Join(err, k.Close(ctx))
	}
	sinks, err := feeds(k, k.cfg.AuditDir, f.Audit.Sink, os.Stdout, log)
	if err != nil {
		return nil, errors.Join(err, k.Close(ctx))
	}
	listeners, caFile, err := listen(&f)
	if err != nil {
		return nil, errors.Join(err, k.Close(ctx))
	}
	intercepting, err := openIntercept(&f)
	if err != nil {
		closeAll(listeners)
		return nil, errors.Join(err, k.Close(ctx))
	}
	metadata, err := openMetadata(f.Metadata)
	if err != nil {
		intercepting.discard()
		closeAll(listeners)
		return nil, errors.Join(err, k.Close(ctx))
	}
	s, err := New(Config{
		Keep: k, Listeners: listeners, Sinks: sinks, AuditDevices: devices(f.Audit.Sink), Log: log, Version: version, RequestTime: time.Duration(f.Limits.RequestTime), MaxBody: int64(f.Limits.Body),
		JSONDepth: f.Limits.JSONDepth, SignInRate: float64(f.Limits.SignInRate), Snapshot: f.Snapshot, Azure: f.Dialect.Azure, GoogleProjects: f.Dialect.GCP.Projects,
		Intercept: intercepting, Metadata: metadata,
	})
	if err != nil {
		intercepting.discard()
		closeMetadata(metadata)
		closeAll(listeners)
		return nil, errors.Join(err, k.Close(ctx))
	}
	o := &Opened{Server: s, CAFile: caFile}
	for _, l := range listeners {
		o.Addrs = append(o.Addrs, address(l))
		log.Info("listening", slog.String("address", l.Addr().String()))
	}
	log.Info("opened", slog.String("storage", f.Storage.Kind), slog.String("seal", f.Seal.Kind), slog.Bool("sealed", k.Desk.Sealed()), slog.String("version", version))
	return o, nil
}

// address is how clients name a listener: what it speaks is known from what it is.
func address(l net.Listener) string {
	switch l.(type) {
	case *net.UnixListener:
		return "unix:" + l.Addr().String()
	case *net.TCPListener:
		return "http://" + l.Addr().String()
	}
	return "https://" + l.Addr().String()
}

// unsealBySelf opens a keep whose seal needs no person. One without keys yet waits for somebody to initialize it; its
// key file is made now, unless the system provides it as a credential.
func unsealBySelf(ctx context.Context, k *Keep, s SealFile) error {
	initialized, err := k.Desk.Initialized(ctx)
	if err != nil || s.Kind == seal.KindShamir && !initialized {
		return err
	}
	if initialized && s.Kind == seal.KindShamir {
		config, err := k.Desk.SealConfig(ctx)
		if err == nil && config.Kind != seal.KindShamir {
			err = fmt.Errorf("[seal] kind is %q, but the store is sealed by %s", s.Kind, config.Kind)
		}
		return err
	}
	if !initialized {
		if s.Kind != seal.KindKeyFile || strings.HasPrefix(s.KeyFile, "credential:") {
			return nil
		}
		if err := keyfile.Create(s.KeyFile); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	}
	if err := k.Desk.AutoUnseal(ctx); err != nil {
		return fmt.Errorf("unsealing by %s: %w", s.Kind, err)
	}
	return nil
}

func logger(f LogFile, w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.Level)); err != nil {
		return nil, fmt.Errorf("[log] level %q is none of debug, info, warn, error", f.Level)
	}
	o := &slog.HandlerOptions{Level: level}
	if f.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return slog.New(slog.NewTextHandler(w, o)), nil
}

// autoSeal is what protects the root key without a person; none where it is split into shares.
func autoSeal(s SealFile) (custody.AutoSeal, error) {
	if s.Kind == seal.KindShamir {
		return custody.AutoSeal{}, nil
	}
	w, err := wrapper(s)
	return custody.AutoSeal{Kind: s.Kind, Wrapper: w}, err
}

func wrapper(s SealFile) (seal.Wrapper, error) {
	if s.Kind == seal.KindKeyFile {
		return keyfile.New(s.KeyFile, os.Getenv)
	}
	phrase, err := ownkey.ReadPassphrase(s.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("passphrase: %w", err)
	}
	return passphrase.New(phrase, passphrase.Default(), passphrase.NewGate(1))
}
