package cli

import (
	"runtime"

	"github.com/spf13/cobra"
)

func versionCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if o.json {
				return env.printJSON(map[string]any{"version": env.Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
			}
			return env.print("keephold " + env.Version + " " + runtime.GOOS + "/" + runtime.GOARCH + "\n")
		},
	}
}
