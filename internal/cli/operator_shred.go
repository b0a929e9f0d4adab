package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/server"
)

func shredCommand(env Env, o *options) *cobra.Command {
	var dir, config, key string
	var yes, withAudit bool
	c := &cobra.Command{
		Use:   "shred",
		Short: "destroy a stopped keep for good: its key file, its store and what was its store",
		Long: `Destroy a stopped keep for good: its key file, its store, and what restores and upgrades left beside it are overwritten and
removed. Nobody can read it again. It asks for the name of its directory. The audit log stays, with a last record, unless --audit
says otherwise; snapshots stay wherever they are, and open with the shares or a copy of the key file.`,
		Example: "  keephold operator shred --config /etc/keephold/keephold-server.toml\n  keephold operator shred --store ./keep --audit --yes",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, snapshots, err := shredding(dir, config, key)
			if err != nil {
				return err
			}
			s.Audit = withAudit
			if _, err := os.Stat(s.Keep.Dir); err != nil {
				return stoppedFault(err, s.Keep.Dir)
			}
			full, err := filepath.Abs(s.Keep.Dir)
			if err != nil {
				return failf(exitIO, "%w", err)
			}
			if err := env.typed("destroy the keep in "+full+" for good", filepath.Base(full), yes); err != nil {
				return err
			}
			done, err := server.Shred(cmd.Context(), s)
			if err != nil {
				return stoppedFault(err, s.Keep.Dir)
			}
			return env.printShredded(o, s.Keep.Dir, snapshots, done)
		},
	}
	f := c.Flags()
	f.StringVar(&dir, "store", "", "directory of the stopped keep")
	f.StringVar(&config, "config", "", "the server's configuration file, which names its directory, key file and log")
	f.StringVar(&key, "key-file", "", "key file to destroy; with --store the file key beside the store, if there is one")
	f.BoolVar(&withAudit, "audit", false, "destroy the audit log too")
	f.BoolVar(&yes, "yes", false, "do not ask")
	return c
}

// shredding is what the flags name, and where snapshots of it are taken to.
func shredding(dir, config, key string) (s server.Shredding, snapshots string, err error) {
	switch {
	case (dir == "") == (config == ""):
		return s, "", usagef("which keep? give --store DIR or --config FILE")
	case config != "":
		cfg, err := readServerConfig(config)
		if err != nil {
			return s, "", err
		}
		if cfg.Storage.Kind != "bbolt" {
			return s, "", usagef("%s describes a keep in memory: stopping it is enough", config)
		}
		s.Keep = server.KeepConfig{Dir: cfg.Storage.Path, AuditDir: cfg.Audit.Dir}
		if s.KeyFile = cfg.Seal.KeyFile; strings.HasPrefix(s.KeyFile, "credential:") {
			s.KeyFile = "" // the system's, not a file of ours
		}
		snapshots = cfg.Snapshot.Dir
	default:
		s.Keep, s.KeyFile = server.KeepConfig{Dir: dir}, filepath.Join(dir, "key")
	}
	if key != "" {
		s.KeyFile = key
	}
	return s, snapshots, nil
}

func (env Env) printShredded(o *options, dir, snapshots string, done server.Shredded) error {
	if o.json {
		return env.printJSON(map[string]any{"store": dir, "destroyed": texts(done.Gone), "remains": texts(done.Left), "snapshots": snapshots})
	}
	if o.quiet {
		return nil
	}
	env.talk("destroyed the keep in %s: %s", dir, plural(len(done.Gone), "file"))
	for _, name := range done.Left {
		env.talk("remains: %s", name)
	}
	where := "wherever you keep them"
	if snapshots != "" {
		where = "in " + snapshots + ", and wherever else you keep them"
	}
	env.talk("remains: snapshots, %s; they open with the key shares or a copy of the key file", where)
	return nil
}

// texts is never null in JSON.
func texts(list []string) []string { return append([]string{}, list...) }

// typed asks at the terminal device for a name to be typed, for what cannot be undone; --yes answers it beforehand.
func (env Env) typed(question, name string, yes bool) error {
	if yes {
		return nil
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil || !isTerminal(env.Stdin) {
		return usagef("%s: needs its name typed, and there is no terminal to type it at", question).withHint("add --yes")
	}
	defer func() { _ = tty.Close() }() // nothing was buffered
	_, _ = fmt.Fprintf(tty, "%s: type %q to go on: ", question, name)
	line, err := attend(env, func() (string, error) { return bufio.NewReader(tty).ReadString('\n') })
	if errors.Is(err, context.Canceled) {
		_, _ = fmt.Fprintln(tty)
		return err
	}
	if strings.TrimSpace(line) != name {
		return failf(exitNo, "nothing was changed")
	}
	return nil
}
