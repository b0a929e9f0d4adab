package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age/armor"
	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/recipient"
	"github.com/keephold/keephold/internal/seal/recovery"
	"github.com/keephold/keephold/internal/server"
)

func recoveryCommand(env Env, o *options) *cobra.Command {
	return group(&cobra.Command{Use: "recovery", Short: "keep your own keep from being lost with its key"},
		recoveryExportCommand(env, o), recoveryRestoreCommand(env, o), recoveryStatusCommand(env, o))
}

func recoveryExportCommand(env Env, o *options) *cobra.Command {
	var to string
	c := &cobra.Command{
		Use:   "export",
		Short: "print the recovery key of the local keep, or encrypt it to an age, SSH or OpenPGP key",
		Long: `Print the recovery key of the local keep, or encrypt it to somebody's public key. Whoever has it and the keep's files has every
value in them: print it and put the paper away, or give --to. It stays the same until the root key is replaced.`,
		Example: "  keephold recovery export\n  keephold recovery export --to age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq -o recovery.age",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var rec *recipient.Recipient
			var err error
			if to != "" {
				if rec, err = recipient.Parse(to, time.Now()); err != nil {
					return usagef("--to: %w", err)
				}
			}
			if !env.hasLocal() {
				return failf(exitNotFound, "there is no local keep yet").withHint("keephold init, or keephold set, makes one")
			}
			if _, err := env.local(cmd.Context(), o); err != nil {
				return err
			}
			key, err := o.localOwner.RecoveryKey(cmd.Context())
			if err != nil {
				return failf(exitInternal, "%w", err)
			}
			text := reveal(key)
			if rec != nil {
				sealed, err := rec.Encrypt([]byte(text+"\n"), time.Now())
				if err == nil {
					text, err = rec.Armor(sealed)
				}
				if err != nil {
					return failf(exitInternal, "%w", err)
				}
				text = strings.TrimSuffix(text, "\n")
			}
			if o.json {
				return env.printJSON(map[string]any{"recovery_key": text, "encrypted": rec != nil})
			}
			return env.print(text + "\n")
		},
	}
	c.Flags().StringVar(&to, "to", "", "encrypt it to this public key (age1…, ssh-…, or OpenPGP)")
	return c
}

func recoveryRestoreCommand(env Env, o *options) *cobra.Command {
	var identity, kind string
	c := &cobra.Command{
		Use:   "restore [FILE|-]",
		Short: "open the local keep with its recovery key, and give it a new key of its own",
		Long: `Open the local keep with its recovery key, and give it a new key of its own. The recovery key is asked for at the terminal, or
read from a file or stdin; one that is encrypted by age is opened with --identity.`,
		Example: "  keephold recovery restore\n  keephold recovery restore recovery.age --identity ~/.ssh/id_ed25519\n  keephold recovery restore --seal passphrase",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := env.recoveryText(first(args))
			if err != nil {
				return err
			}
			if strings.HasPrefix(strings.TrimSpace(text), armor.Header) {
				if text, err = openAge(text, identity); err != nil {
					return err
				}
			}
			dir, err := env.dataDir()
			if err != nil {
				return err
			}
			cfg := env.localConfig(dir)
			if kind != "" {
				cfg.Seal = kind
			}
			sealed, err := server.RestoreLocal(cmd.Context(), cfg, []byte(text))
			if err != nil {
				return restoreFault(dir, err)
			}
			return env.done(o, map[string]any{"dir": dir, "seal": sealed.Kind, "key": sealed.Where}, "the keep in %s opens again; its key lies in %s", dir, sealed.Where)
		},
	}
	f := c.Flags()
	f.StringVar(&identity, "identity", "", "file of the age or SSH private key that it was encrypted to")
	f.StringVar(&kind, "seal", "", "where the new key lies: keyring, keyfile or passphrase (default: as for a new keep)")
	return c
}

func restoreFault(dir string, err error) error {
	var f *fault
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, recovery.ErrMalformed):
		return failf(exitBadData, "%w; nothing was changed", err)
	case errors.Is(err, fs.ErrNotExist):
		return failf(exitNotFound, "%w", err).withHint("a recovery key opens the files of a keep, it does not hold them: put a copy of %s back first", dir)
	case errors.Is(err, seal.ErrWrongKey), server.FaultOf(err) == server.FaultOther:
		return failf(exitDenied, "%w; nothing was changed", err)
	}
	return localFault(dir, err)
}

// recoveryText reads a recovery key where a person has it; never from the command line.
func (env Env) recoveryText(from string) (string, error) {
	if strings.HasPrefix(strings.ToUpper(from), "KEEPHOLD-RECOVERY-") {
		return "", usagef("the recovery key is on the command line: it would stay in your shell history and in ps; nothing was done").
			withHint("leave it out to be asked for it, or give '-' to have it read from stdin")
	}
	if from == "" {
		v, err := env.hidden("Recovery key (hidden): ")
		return reveal(v), err
	}
	b, err := env.fileOrStdin(from)
	return string(b), err
}

func openAge(text, file string) (string, error) {
	if file == "" {
		return "", usagef("the recovery key is encrypted").withHint("give the private key with --identity FILE")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", failf(exitIO, "%w", err)
	}
	plain, err := recipient.Open(text, b)
	if err != nil {
		return "", failf(exitDenied, "%s does not open it: %w", filepath.Base(file), err)
	}
	return string(plain), nil
}

func recoveryStatusCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "say where the key of the local keep lies",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !env.hasLocal() {
				return failf(exitNotFound, "there is no local keep yet").withHint("keephold init, or keephold set, makes one")
			}
			if _, err := env.local(cmd.Context(), o); err != nil {
				return err
			}
			dir, err := env.dataDir()
			if err != nil {
				return err
			}
			s := o.localOwner.Seal()
			if o.json {
				return env.printJSON(map[string]any{"dir": dir, "seal": s.Kind, "key": s.Where})
			}
			return env.print(fmt.Sprintf("keep  %s\nseal  %s\nkey   %s\n", dir, s.Kind, s.Where))
		},
	}
}

// offered remembers that a recovery key was offered, so that init does it once.
const offered = "recovery-offered"

// offerRecovery tells, once for each user, what happens to a keep whose key is lost, and prints a recovery key to whoever
// wants it now.
func (env Env) offerRecovery(cmd *cobra.Command, o *options, yes bool) error {
	dir, err := env.dataDir()
	if err != nil {
		return err
	}
	mark := filepath.Join(dir, offered)
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return failf(exitCannotWrite, "%w", err)
	}
	if err := writeFile(mark, nil, 0o600); err != nil {
		return failf(exitCannotWrite, "%w", err)
	}
	agreed := !yes && isTerminal(env.Stdin) && env.confirm("print a recovery key, in case the key of your keep is lost", false) == nil
	if !agreed {
		env.talk("Your keep opens with a key on this machine. Against its loss:  keephold recovery export")
		return nil
	}
	if _, err := env.local(cmd.Context(), o); err != nil {
		return err
	}
	key, err := o.localOwner.RecoveryKey(cmd.Context())
	if err != nil {
		return failf(exitInternal, "%w", err)
	}
	env.talk("Recovery key, to be put away on paper:\n  %s", reveal(key))
	return nil
}
