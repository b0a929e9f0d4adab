package cli

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

func moveCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "move SECRET SECRET",
		Short:   "give a secret another name, with its whole history, in one step",
		Long:    "Give a secret another name, with its whole history, in one step. Each of the two is NAME, ENV/NAME or SPACE/PATH.",
		Example: "  keephold move secret/app/db secret/shop/db\n  keephold move STRIPE_TOKEN STRIPE_KEY",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, places, err := env.connectFor(cmd.Context(), o, args...)
			if err != nil {
				return err
			}
			var moved struct {
				From string `json:"from"`
				To   string `json:"to"`
			}
			if err := a.call(cmd.Context(), http.MethodPut, "keephold/move", fromTo(places), &moved); err != nil {
				return explain(err, "cannot move "+args[0])
			}
			return env.done(o, map[string]any{"from": args[0], "to": args[1], "did": "moved"}, "moved %s to %s; undo: keephold move %s %s", args[0], args[1], args[1], args[0])
		},
	}
}

func fromTo(args []string) map[string]string {
	return map[string]string{"from": strings.Trim(args[0], "/"), "to": strings.Trim(args[1], "/")}
}

type copyJob struct {
	ID      string `json:"id"`
	Copied  int64  `json:"copied"`
	Skipped int64  `json:"skipped"`
	Refused int64  `json:"refused"`
	Done    bool   `json:"done"`
}

func copyCommand(env Env, o *options) *cobra.Command {
	var resume string
	c := &cobra.Command{
		Use:   "copy SECRET|FOLDER SECRET|FOLDER",
		Short: "copy a secret, or every secret of a folder, without its history",
		Long: `Copy a secret, or every secret of a folder, at the server: no value comes here. What is there already stays as it is,
and so does what you may not read or make; both are counted. A copy that was interrupted goes on with --resume. The
exit code is 1 when something was left out.`,
		Example: "  keephold copy staging/app prod/app\n  keephold copy --resume JOB",
		Args: func(cmd *cobra.Command, args []string) error {
			if resume != "" {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(2)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			a, places, err := env.connectFor(cmd.Context(), o, args...)
			if err != nil {
				return err
			}
			var job copyJob
			if resume == "" {
				err = a.call(cmd.Context(), http.MethodPut, "keephold/copy", fromTo(places), &job)
			} else {
				job.ID = resume
			}
			p := env.progress(o, "copy", "secrets", 0)
			for err == nil && !job.Done {
				p.done.Store(job.Copied)
				err = a.call(cmd.Context(), http.MethodPut, "keephold/copy/"+escapePath(job.ID), map[string]any{}, &job)
			}
			p.end()
			if err != nil {
				failed := explain(err, "cannot copy")
				if job.ID != "" && status(err) == 0 {
					env.talk("the copy goes on with: keephold copy --resume %s", job.ID)
				}
				return failed
			}
			err = env.done(o, map[string]any{"copied": job.Copied, "skipped": job.Skipped, "refused": job.Refused},
				"copied %d, %d were there already, %d were refused", job.Copied, job.Skipped, job.Refused)
			if err == nil && job.Skipped+job.Refused > 0 {
				return silent(exitNo)
			}
			return err
		},
	}
	c.Flags().StringVar(&resume, "resume", "", "go on with the job of this id")
	return c
}
