package cli

import (
	"context"
	"strings"

	"github.com/spf13/pflag"

	"github.com/keephold/keephold/internal/scan"
	"github.com/keephold/keephold/internal/scan/verify"
)

// verifyOptions are the flags of scans that ask vendors about what they find.
type verifyOptions struct {
	ask       bool
	endpoints []string
}

func (v *verifyOptions) add(f *pflag.FlagSet) {
	f.BoolVar(&v.ask, "verify", false, "ask the vendor whether a secret is live, which shows it to the vendor: "+strings.Join(verify.Names(), ", "))
	f.StringArrayVar(&v.endpoints, "verify-endpoint", nil, "with --verify, ask VENDOR=URL in place of the vendor's own address")
}

// verifier is nil unless somebody asked for it.
func (v *verifyOptions) verifier() (*verify.Verifier, error) {
	if !v.ask {
		if len(v.endpoints) > 0 {
			return nil, usagef("--verify-endpoint is for --verify")
		}
		return nil, nil // nobody is to be asked
	}
	ask, err := verify.New(v.endpoints)
	if err != nil {
		return nil, usagef("--verify-endpoint: %w", err)
	}
	return ask, nil
}

// askVendors writes into each finding what its vendor says. The secret is in the request and nowhere else.
func (env Env) askVendors(ctx context.Context, v *verify.Verifier, findings []scan.Finding) {
	for i := range findings {
		f := &findings[i]
		who, answer := v.Ask(ctx, f.Rule, f.Secret)
		if who == "" {
			continue
		}
		f.Live = string(answer)
		env.talk("%s:%d: %s: %s", f.Path, f.Line, who, answer)
	}
}
