package cli

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

type rekeyState struct {
	shareAnswer
	Nonce       string `json:"nonce"`
	Started     bool   `json:"started"`
	Complete    bool   `json:"complete"`
	Progress    int    `json:"progress"`
	Required    int    `json:"required"`
	Threshold   int    `json:"t"`
	Verify      bool   `json:"verification_required"`
	VerifyNonce string `json:"verification_nonce"`
}

func rekeyCommand(env Env, o *options) *cobra.Command {
	var split splitFlags
	var recovery, status, cancel, noVerify bool
	var nonce string
	c := &cobra.Command{
		Use:   "rekey [-]",
		Short: "replace the key shares by new ones",
		Long: `Replace the key shares by new ones. The holders of the old shares give theirs, as with unseal; then the new ones are
printed once, and have to be given back before the old ones stop working (--no-verify leaves that out). Who joins an
attempt that somebody else began gives its --nonce.`,
		Example: "  keephold operator rekey --shares 7 --threshold 4\n  keephold operator rekey --nonce NONCE\n  keephold operator rekey --cancel --nonce NONCE",
		Args:    cobra.MaximumNArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			base := "sys/rekey"
			if recovery {
				base = "sys/rekey-recovery-key"
			}
			var s rekeyState
			if cancel {
				if err := a.call(cmd.Context(), http.MethodDelete, base+"/init", map[string]string{"nonce": nonce}, nil); err != nil {
					return explain(err, "cannot cancel")
				}
				return env.done(o, map[string]any{"did": "canceled"}, "canceled; the shares are as they were")
			}
			if status {
				if err := a.call(cmd.Context(), http.MethodGet, base+"/init", nil, &s); err != nil {
					return explain(err, "cannot tell the state")
				}
				return env.printRekey(o, s)
			}
			from, err := env.values(args)
			if err != nil {
				return err
			}
			keys, err := split.keys(cmd)
			if err != nil {
				return err
			}
			if nonce == "" {
				body := map[string]any{"secret_shares": split.shares, "secret_threshold": split.threshold, "require_verification": !noVerify}
				if len(keys) > 0 {
					body["pgp_keys"] = keys
				}
				err = a.call(cmd.Context(), http.MethodPost, base+"/init", body, &s)
			} else {
				err = a.call(cmd.Context(), http.MethodGet, base+"/init", nil, &s)
				s.Nonce = nonce
			}
			if err != nil {
				return explain(err, "cannot begin")
			}
			return env.rekey(cmd, o, a, base, from, s)
		}),
	}
	split.register(c)
	f := c.Flags()
	f.BoolVar(&recovery, "recovery", false, "replace the recovery shares of a server that unseals by itself")
	f.BoolVar(&status, "status", false, "say how far an attempt has come")
	f.BoolVar(&cancel, "cancel", false, "give an attempt up")
	f.BoolVar(&noVerify, "no-verify", false, "do not ask for the new shares before the old ones stop working")
	f.StringVar(&nonce, "nonce", "", "the attempt to join or to cancel")
	return c
}

// rekey gives old shares until the new ones are made, and new ones until they are verified.
func (env Env) rekey(cmd *cobra.Command, o *options, a *api, base string, from valueSource, s rekeyState) error {
	nonce := s.Nonce
	for !s.Complete {
		share, err := from.next(fmt.Sprintf("Old share %d of %d", s.Progress+1, s.Required))
		if err != nil {
			return unfinished(err, s, nonce)
		}
		s = rekeyState{}
		if err := a.call(cmd.Context(), http.MethodPost, base+"/update", map[string]string{"key": reveal(share), "nonce": nonce}, &s); err != nil {
			return explain(err, "the share was not taken")
		}
	}
	if err := env.printRekey(o, s); err != nil {
		return err
	}
	if err := env.settle(); err != nil {
		return err
	}
	if !s.Verify {
		env.talk("the old shares work no longer")
		return nil
	}
	env.talk("the old shares work until the new ones were given back")
	for proof := s; ; {
		share, err := from.next("New share")
		if err != nil {
			return unfinished(err, proof, s.VerifyNonce)
		}
		proof = rekeyState{}
		if err := a.call(cmd.Context(), http.MethodPost, base+"/verify", map[string]string{"key": reveal(share), "nonce": s.VerifyNonce}, &proof); err != nil {
			return explain(err, "the new share was not taken")
		}
		if proof.Complete {
			env.talk("the old shares work no longer")
			return nil
		}
	}
}

// unfinished says how the next holder goes on.
func unfinished(err error, s rekeyState, nonce string) error {
	if codeOf(err) != exitUsage {
		return err
	}
	need := s.Required
	if need == 0 {
		need = s.Threshold // of the new shares, while they are verified
	}
	return failf(exitBusy, "more shares are needed: %d of %d were given", s.Progress, need).withHint("the next holder goes on with --nonce %s", nonce)
}

func (env Env) printRekey(o *options, s rekeyState) error {
	shares := shown(s.KeysB64, s.Armored)
	if o.json {
		return env.printJSON(map[string]any{
			"nonce": s.Nonce, "started": s.Started || s.Complete, "complete": s.Complete, "progress": s.Progress, "required": s.Required,
			"shares": shares, "verification_nonce": s.VerifyNonce,
		})
	}
	if !s.Complete {
		if !s.Started {
			env.talk("nothing is under way")
			return nil
		}
		env.talk("attempt %s: %d of %d shares were given", s.Nonce, s.Progress, s.Required)
		return nil
	}
	var b strings.Builder
	for i, share := range shares {
		fmt.Fprintf(&b, "share %d: %s\n", i+1, share)
	}
	return env.print(b.String())
}

func generateRootCommand(env Env, o *options) *cobra.Command {
	var nonce string
	var cancel bool
	c := &cobra.Command{
		Use:   "generate-root [-]",
		Short: "make a new root token out of key shares",
		Long: `Make a new root token out of key shares, for the day when no other way is left. It takes as many shares as unsealing.
Who joins an attempt that somebody else began gives its --nonce.`,
		Args: cobra.MaximumNArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			const base = "sys/generate-root"
			if cancel {
				if err := a.call(cmd.Context(), http.MethodDelete, base+"/attempt", map[string]string{"nonce": nonce}, nil); err != nil {
					return explain(err, "cannot cancel")
				}
				return env.done(o, map[string]any{"did": "canceled"}, "canceled")
			}
			from, err := env.values(args)
			if err != nil {
				return err
			}
			return env.generateRoot(cmd, o, a, base, from, nonce)
		}),
	}
	c.Flags().StringVar(&nonce, "nonce", "", "the attempt to join or to cancel")
	c.Flags().BoolVar(&cancel, "cancel", false, "give an attempt up")
	return c
}

type rootState struct {
	Nonce    string `json:"nonce"`
	Started  bool   `json:"started"`
	Progress int    `json:"progress"`
	Required int    `json:"required"`
	Complete bool   `json:"complete"`
	OTP      string `json:"otp"`
	Encoded  string `json:"encoded_token"`
}

// generateRoot proves the start by the first share, which also counts, and decodes the token with the one-time
// password that only the starter has.
func (env Env) generateRoot(cmd *cobra.Command, o *options, a *api, base string, from valueSource, nonce string) error {
	var s rootState
	otp := ""
	share, err := from.next("Share 1")
	if err != nil {
		return err
	}
	if nonce == "" {
		if err := a.call(cmd.Context(), http.MethodPost, base+"/attempt", map[string]string{"key": reveal(share)}, &s); err != nil {
			return explain(err, "cannot begin")
		}
		nonce, otp = s.Nonce, s.OTP
	}
	for {
		err := a.call(cmd.Context(), http.MethodPost, base+"/update", map[string]string{"key": reveal(share), "nonce": nonce}, &s)
		if err != nil {
			return explain(err, "the share was not taken")
		}
		if s.Complete {
			break
		}
		if share, err = from.next(fmt.Sprintf("Share %d of %d", s.Progress+1, s.Required)); err != nil {
			return unfinished(err, rekeyState{Progress: s.Progress, Required: s.Required}, nonce)
		}
	}
	if otp == "" {
		return env.done(o, map[string]any{"encoded_token": s.Encoded}, "complete; who began decodes this: %s", s.Encoded)
	}
	var decoded struct {
		Token string `json:"token"`
	}
	if err := a.call(cmd.Context(), http.MethodPost, "sys/decode-token", map[string]string{"encoded_token": s.Encoded, "otp": otp}, &decoded); err != nil {
		return explain(err, "cannot decode the token")
	}
	if o.json {
		return env.printJSON(map[string]any{"root_token": decoded.Token})
	}
	return env.print("root token: " + decoded.Token + "\n")
}
