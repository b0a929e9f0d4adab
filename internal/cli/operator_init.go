package cli

import (
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// splitFlags say how a key is split and for whom each share is encrypted.
type splitFlags struct {
	shares, threshold int
	recipients        []string
}

func (s *splitFlags) register(c *cobra.Command) {
	c.Flags().IntVar(&s.shares, "shares", 5, "how many shares")
	c.Flags().IntVar(&s.threshold, "threshold", 3, "how many of them open the keep")
	c.Flags().StringArrayVar(&s.recipients, "recipient", nil, "encrypt a share to this age, SSH or PGP public key, or @FILE with one; once for each share")
}

// keys are the public keys of the recipients. An explicit count of shares has to agree with theirs.
func (s *splitFlags) keys(cmd *cobra.Command) ([]string, error) {
	keys := make([]string, len(s.recipients))
	for i, r := range s.recipients {
		if name, ok := strings.CutPrefix(r, "@"); ok {
			b, err := os.ReadFile(name)
			if err != nil {
				return nil, failf(exitNotFound, "--recipient: %w", err)
			}
			r = strings.TrimSpace(string(b))
		}
		keys[i] = r
	}
	if n := len(keys); n > 0 {
		if cmd.Flags().Changed("shares") && s.shares != n {
			return nil, usagef("%d recipients for %d shares", n, s.shares)
		}
		s.shares = n
		if !cmd.Flags().Changed("threshold") {
			s.threshold = n/2 + 1
		}
	}
	return keys, nil
}

// shareAnswer is how the API hands out shares, in the clear or encrypted.
type shareAnswer struct {
	Keys     []string `json:"keys"`
	KeysB64  []string `json:"keys_base64"`
	Armored  []string `json:"keys_armored"`
	Recovery []string `json:"recovery_keys"`
	RecB64   []string `json:"recovery_keys_base64"`
	RecArm   []string `json:"recovery_keys_armored"`
	Root     string   `json:"root_token"`
}

// shown picks the form of each share that a person wants: armored text of age, else base64.
func shown(based, armored []string) []string {
	out := append([]string{}, based...)
	for i, text := range armored {
		if text != "" && i < len(out) {
			out[i] = text
		}
	}
	return out
}

func foundCommand(env Env, o *options) *cobra.Command {
	var split splitFlags
	var noSpace bool
	c := &cobra.Command{
		Use:   "init",
		Short: "make the keys of a new server, and show the shares once",
		Long: `Make the keys of a new server. The shares and the root token are printed once and kept nowhere: give each share to
somebody else. With --recipient each share is encrypted to a person's own age, SSH or PGP key and seen by nobody else.

A server that unseals by itself (a key file, a passphrase) hands out recovery keys instead of shares.

Unless --no-secret-space is given, the Space secret/ is made, with versions. For that a server whose shares are shown
here is unsealed with them.`,
		Example: "  keephold operator init\n  keephold operator init --shares 1 --threshold 1 --json -o keys.json\n  keephold operator init --recipient @ana.pub --recipient @ben.pub --recipient @eva.pub",
		Args:    cobra.NoArgs,
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, _ []string) error {
			keys, err := split.keys(cmd)
			if err != nil {
				return err
			}
			var s sealState
			if err := a.call(cmd.Context(), http.MethodGet, "sys/seal-status", nil, &s); err != nil {
				return explain(err, "cannot tell the state of "+a.addr)
			}
			if s.Initialized {
				return failf(exitConflict, "%s is initialized already", a.addr)
			}
			kind := "secret"
			if s.Recovery || s.Type != "shamir" {
				kind = "recovery"
			}
			body := map[string]any{kind + "_shares": split.shares, kind + "_threshold": split.threshold}
			if len(keys) > 0 {
				body[map[string]string{"secret": "pgp_keys", "recovery": "recovery_pgp_keys"}[kind]] = keys
			}
			var made shareAnswer
			if err := a.call(cmd.Context(), http.MethodPost, "sys/init", body, &made); err != nil {
				return explain(err, "cannot initialize "+a.addr)
			}
			// The keys come first: whatever fails after this, they are there.
			if err := env.printInit(o, a, split, made); err != nil {
				return err
			}
			if err := env.settle(); err != nil {
				return err
			}
			return env.furnish(cmd, a, split, made, noSpace, len(keys) > 0)
		}),
	}
	split.register(c)
	c.Flags().BoolVar(&noSpace, "no-secret-space", false, "do not make the Space secret/")
	return c
}

func (env Env) printInit(o *options, a *api, split splitFlags, made shareAnswer) error {
	shares, recovery := shown(made.KeysB64, made.Armored), shown(made.RecB64, made.RecArm)
	if o.json {
		return env.printJSON(map[string]any{
			"addr": a.addr, "shares": shares, "recovery_shares": recovery, "threshold": split.threshold, "root_token": made.Root,
		})
	}
	var b strings.Builder
	for i, s := range shares {
		fmt.Fprintf(&b, "share %d: %s\n", i+1, s)
	}
	for i, s := range recovery {
		fmt.Fprintf(&b, "recovery share %d: %s\n", i+1, s)
	}
	fmt.Fprintf(&b, "root token: %s\n", made.Root)
	if err := env.print(b.String()); err != nil {
		return err
	}
	env.talk("this is shown once and kept nowhere; any %d of the shares are needed", split.threshold)
	return nil
}

// furnish makes the Space secret/, which everybody expects.
func (env Env) furnish(cmd *cobra.Command, a *api, split splitFlags, made shareAnswer, noSpace, encrypted bool) error {
	if noSpace {
		return nil
	}
	root := *a
	root.token = tokenValue(made.Root)
	if len(made.KeysB64) > 0 {
		if encrypted {
			env.talk("when the server is unsealed: keephold space make secret")
			return nil
		}
		for _, share := range made.KeysB64[:min(split.threshold, len(made.KeysB64))] {
			if err := a.call(cmd.Context(), http.MethodPost, "sys/unseal", map[string]string{"key": share}, nil); err != nil {
				return explain(err, "the keys were made, but the server cannot be unsealed")
			}
		}
	}
	if err := root.enableSpace(cmd.Context(), "secret", map[string]any{"type": "kv", "options": map[string]string{"version": "2"}}); err != nil {
		return explain(err, "the keys were made, but the Space secret/ cannot be")
	}
	env.talk("the server is unsealed, and the Space secret/ is there")
	return nil
}
