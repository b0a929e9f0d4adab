package cli

import (
	"errors"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/server"
)

// These act on the files of a keep that is not running; the store's lock keeps them away from one that is.

func upgradeCommand(env Env, o *options) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "upgrade",
		Short: "bring a stopped keep to the newest format",
		Long: `Bring a stopped keep to the newest format of this release. No release does that by itself: until it is told, it writes
what the one before can read. A copy of the store is made first; to go back is to put it in the store's place.`,
		Example: "  keephold operator upgrade --store /var/lib/keephold",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			up, err := server.Upgrade(cmd.Context(), server.KeepConfig{Dir: dir})
			if err != nil {
				return stoppedFault(err, dir)
			}
			doc := map[string]any{"store": dir, "from": up.From, "to": up.To, "copy": up.Copy}
			if up.From == up.To {
				return env.done(o, doc, "%s is of the newest format (%d) already", dir, up.To)
			}
			return env.done(o, doc, "upgraded %s from format %d to %d; the store as it was: %s", dir, up.From, up.To, up.Copy)
		},
	}
	c.Flags().StringVar(&dir, "store", "/var/lib/keephold", "directory of the stopped keep")
	return c
}

// restoreStopped puts a snapshot in the place of a stopped keep's store, or makes one of it.
func (env Env) restoreStopped(cmd *cobra.Command, o *options, dir, name string, in io.Reader, size int64, force bool) error {
	p := env.progress(o, "restore", "bytes", size)
	meta, err := server.RestoreFile(cmd.Context(), server.KeepConfig{Dir: dir}, io.TeeReader(in, p), custody.RestoreOptions{Force: force})
	p.end()
	if err != nil {
		return stoppedFault(err, dir)
	}
	return env.done(o, map[string]any{"store": dir, "did": "restored", "created": meta.Created, "revision": meta.Revision},
		"restored %s as of %s from %s", dir, meta.Created.Local().Format("2006-01-02 15:04:05"), name)
}

func stoppedFault(err error, dir string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return failf(exitNotFound, "there is no keep in %s", dir).withHint("name its directory with --store")
	}
	return serverFault(err)
}
