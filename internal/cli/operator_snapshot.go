package cli

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"
)

const snapshotPath = "sys/storage/raft/snapshot"

func snapshotCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "snapshot -o FILE",
		Short: "take a snapshot of everything, while the server goes on",
		Long: `Take a snapshot of everything, while the server goes on. It is sealed as the keep is: it opens with the same shares.
The file appears when it is complete.`,
		Example: "  keephold operator snapshot -o keep.snapshot\n  keephold operator snapshot | ssh backup 'cat > keep.snapshot'",
		Args:    cobra.NoArgs,
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, _ []string) error {
			if out, ok := env.Stdout.(*output); ok && out.terminal() {
				return usagef("a snapshot is not for the eyes").withHint("write it to a file with -o FILE")
			}
			a.unhurried()
			resp, err := a.send(cmd.Context(), http.MethodGet, snapshotPath, nil)
			if err != nil {
				return err
			}
			defer func() { _ = resp.Body.Close() }() // what matters was read to its end
			if resp.StatusCode >= 400 {
				_, _, err := a.take(resp)
				return explain(err, "cannot take a snapshot")
			}
			p := env.progress(o, "snapshot", "bytes", resp.ContentLength)
			n, err := io.Copy(io.MultiWriter(env.Stdout, p), resp.Body)
			p.end()
			if err != nil {
				return failf(exitIO, "the snapshot broke off after %d bytes: %w", n, err)
			}
			if !o.quiet {
				env.talk("snapshot of %d bytes", n)
			}
			return nil
		}),
	}
}

func restoreCommand(env Env, o *options) *cobra.Command {
	var yes, force bool
	var dir string
	c := &cobra.Command{
		Use:   "restore FILE|-",
		Short: "put a snapshot in the place of everything the server holds",
		Long: `Put a snapshot in the place of everything the server holds. A snapshot of another keep, with other keys, needs
--force, and its own shares to unseal afterwards. With --store the files of a server that is not running are replaced,
or made in an empty directory.`,
		Example: "  keephold operator restore keep.snapshot\n  keephold operator restore keep.snapshot --store /var/lib/keephold",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, size := env.Stdin, int64(0)
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return failf(exitNotFound, "%w", err)
				}
				defer func() { _ = f.Close() }() // only read from
				if info, err := f.Stat(); err == nil {
					size = info.Size()
				}
				in = f
			}
			if dir != "" {
				if err := env.confirm("replace everything in "+dir+" by the snapshot "+args[0], yes); err != nil {
					return err
				}
				return env.restoreStopped(cmd, o, dir, args[0], in, size, force)
			}
			a, err := env.connect(cmd.Context(), o)
			if err != nil {
				return err
			}
			if err := env.confirm("replace everything in "+a.addr+" by the snapshot "+args[0], yes); err != nil {
				return err
			}
			path := snapshotPath
			if force {
				path += "-force"
			}
			a.unhurried()
			p := env.progress(o, "restore", "bytes", size)
			_, _, err = a.raw(cmd.Context(), http.MethodPost, path, io.TeeReader(in, p))
			p.end()
			if err != nil {
				return explain(err, "cannot restore")
			}
			return env.done(o, map[string]any{"addr": a.addr, "did": "restored"}, "restored %s", args[0])
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.Flags().StringVar(&dir, "store", "", "directory of a keep that is not running, instead of a server")
	c.Flags().BoolVar(&force, "force", false, "take a snapshot of another keep too")
	return c
}

// unhurried lets requests take as long as they take.
func (a *api) unhurried() {
	client := *a.http
	client.Timeout = 0
	a.http = &client
}

// take reads an answer to its end; one that is an error becomes an apiError.
func (a *api) take(resp *http.Response) ([]byte, int, error) {
	var read bytes.Buffer
	if resp.ContentLength > 0 {
		read.Grow(int(min(resp.ContentLength, 1<<20)) + bytes.MinRead)
	}
	_, err := read.ReadFrom(io.LimitReader(resp.Body, maxAnswer+1))
	body := read.Bytes()
	switch {
	case err != nil:
		return nil, resp.StatusCode, failf(exitUnreachable, "the answer of %s broke off: %w", a.addr, err)
	case len(body) > maxAnswer:
		return nil, resp.StatusCode, errors.New("the answer is too long")
	case resp.StatusCode >= 400:
		return body, resp.StatusCode, newAPIError(resp.StatusCode, body)
	}
	return body, resp.StatusCode, nil
}
