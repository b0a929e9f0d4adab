package cli

import (
	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/scan/triage"
)

func baselineCommand(_ Env, _ *options) *cobra.Command {
	c := &cobra.Command{Use: "baseline", Short: "baselines of scans: merge two branches' changes"}
	return group(c, &cobra.Command{
		Use:   "merge BASE OURS THEIRS",
		Short: "merge what two branches made of a baseline, into OURS; for git's merge driver",
		Long: "What either branch accepted is accepted, what either removed is gone; there are no conflicts. As a merge driver:\n\n" +
			"  git config merge.keephold.driver 'keephold baseline merge %O %A %B'\n  echo '.keephold-baseline.json merge=keephold' >> .gitattributes",
		Args: cobra.ExactArgs(3),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := triage.MergeBaselines(args[0], args[1], args[2]); err != nil {
				return failf(exitBadData, "%w", err)
			}
			return nil
		},
	})
}
