package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func doctorCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "look for what is wrong between here and the keep",
		Long: `Look for what is wrong between here and the keep. Of a server: the address, the connection, the clock, the seal, the token, and
files that others can read. Of your own keep: where it lies, what opens it, and the project here. Every finding comes with what to do. The exit code is 78 when something is wrong.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := env.examine(cmd, o)
			bad := false
			var rows [][]string
			for _, f := range findings {
				bad = bad || f.State == "wrong"
				rows = append(rows, []string{f.State, f.What, f.Found, f.Fix})
			}
			var err error
			if o.json {
				err = env.printJSON(map[string]any{"ok": !bad, "findings": findings})
			} else {
				err = env.table([]string{"STATE", "WHAT", "FOUND", "FIX"}, rows)
			}
			if err == nil && bad {
				return silent(exitCheck)
			}
			return err
		},
	}
}

type symptom struct {
	State string `json:"state"` // "ok", "note", "wrong"
	What  string `json:"what"`
	Found string `json:"found"`
	Fix   string `json:"fix,omitempty"`
}

// examine looks from near to far, and stops where nothing behind can be seen.
func (env Env) examine(cmd *cobra.Command, o *options) (all []symptom) {
	add := func(state, what, found, fix string) { all = append(all, symptom{state, what, found, fix}) }
	if dir, err := env.configDir(); err == nil {
		file := filepath.Join(dir, sessionFile)
		if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
			add("wrong", "session", file+" can be read by others", "chmod 600 "+file)
		}
	}
	if env.Getenv("KEEPHOLD_TOKEN") == "" && env.Getenv("VAULT_TOKEN") != "" {
		add("note", "environment", "the token comes from VAULT_TOKEN", "")
	}
	a, err := env.connect(cmd.Context(), o)
	if err != nil {
		add("wrong", "address", err.Error(), "set KEEPHOLD_ADDR, or sign in with keephold login ADDRESS")
		return all
	}
	u, err := url.Parse(a.addr)
	if err == nil && a.addr == localAddr {
		return append(all, env.examineLocal(o)...)
	}
	if err == nil && u.Scheme == "http" && !loopback(u.Host+":0") && !loopback(u.Host) {
		add("wrong", "address", a.addr+" is not encrypted", "use https://")
	} else {
		add("ok", "address", a.addr, "")
	}
	asked := time.Now()
	resp, err := a.send(cmd.Context(), http.MethodGet, "sys/health?sealedcode=200&uninitcode=200", nil)
	if err != nil {
		add("wrong", "connection", err.Error(), "is the server running, and is KEEPHOLD_CACERT its CA?")
		return all
	}
	body, _, err := a.take(resp)
	_ = resp.Body.Close() // it was read
	var health struct {
		Initialized bool   `json:"initialized"`
		Sealed      bool   `json:"sealed"`
		Version     string `json:"version"`
		Time        int64  `json:"server_time_utc"`
	}
	if err != nil || decode(body, &health) != nil {
		add("wrong", "connection", "what answers there is no keep", "check the address")
		return all
	}
	add("ok", "connection", fmt.Sprintf("version %s, %d ms", health.Version, time.Since(asked).Milliseconds()), "")
	if skew := time.Unix(health.Time, 0).Sub(asked); health.Time > 0 && skew.Abs() > 30*time.Second {
		add("wrong", "clock", fmt.Sprintf("the server's differs by %s", skew.Round(time.Second)), "set the clocks by NTP")
	}
	switch {
	case !health.Initialized:
		add("wrong", "seal", "not initialized", "keephold operator init")
		return all
	case health.Sealed:
		add("wrong", "seal", "sealed", "keephold operator unseal")
		return all
	}
	add("ok", "seal", "unsealed", "")
	return append(all, a.examineToken(cmd))
}

// examineLocal says where a user's own keep lies, what opens it, and which project it is asked for here. That it opens at all
// was seen by connecting.
func (env Env) examineLocal(o *options) (all []symptom) {
	dir, err := env.dataDir()
	if err != nil {
		return []symptom{{"wrong", "keep", err.Error(), "set HOME or XDG_DATA_HOME"}}
	}
	s := o.localOwner.Seal()
	all = append(all, symptom{"ok", "keep", "your own, in " + dir, ""}, symptom{"ok", "key", s.Where, ""})
	p, err := findProject()
	var f *fault
	switch {
	case err == nil:
		all = append(all, symptom{"ok", "project", p.Name + ", environment " + p.DefaultEnv, ""})
	case errors.As(err, &f) && f.code == exitNotFound:
		all = append(all, symptom{"note", "project", "there is no " + projectFile + " here or above", "keephold init"})
	default:
		all = append(all, symptom{"wrong", "project", err.Error(), "edit " + projectFile})
	}
	return all
}

func (a *api) examineToken(cmd *cobra.Command) symptom {
	var t tokenInfo
	err := a.call(cmd.Context(), http.MethodGet, "auth/token/lookup-self", nil, &t)
	switch {
	case err != nil && a.token.Len() == 0:
		return symptom{"wrong", "token", "there is none", "keephold login"}
	case err != nil:
		return symptom{"wrong", "token", err.Error(), "keephold login"}
	case t.TTL > 0 && t.TTL < 300:
		return symptom{"note", "token", fmt.Sprintf("ends in %d seconds", t.TTL), "keephold token renew"}
	}
	return symptom{"ok", "token", t.Name + " with " + strings.Join(append(t.Policies, t.Identity...), ", "), ""}
}
