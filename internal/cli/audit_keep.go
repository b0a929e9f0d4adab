package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/audit"
)

// auditKeep is the keep whose log is asked: nil when --dir names a directory, or when there is no keep to speak to.
func (env Env) auditKeep(cmd *cobra.Command, o *options) (*api, error) {
	if cmd.Flags().Changed("dir") {
		return nil, nil
	}
	addr, err := env.setting("ADDR")
	if err != nil {
		return nil, err
	}
	if o.addr == "" && addr == "" && env.session().Addr == "" && !env.hasLocal() {
		return nil, nil
	}
	return env.connect(cmd.Context(), o)
}

// auditLine is one record as the API answers it. Its text is printed as it came: that is what the log holds.
type auditLine struct {
	Seq   uint64          `json:"seq"`
	Event json.RawMessage `json:"event"`
}

func (l *auditLine) entry() (e audit.Entry, err error) {
	e.Seq = l.Seq
	e.Event, err = audit.DecodeEvent(l.Event)
	return e, err
}

// searchKeep asks a keep for the newest records that match.
func (env Env) searchKeep(ctx context.Context, a *api, q audit.Query, ref string) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		p := url.Values{"limit": {"1000"}}
		for name, v := range map[string]string{"secret": ref, "actor": q.Actor, "value": q.Value} {
			if v != "" {
				p.Set(name, v)
			}
		}
		for _, k := range q.Kinds {
			p.Set("kind", k.String())
		}
		if !q.Since.IsZero() {
			p.Set("since", q.Since.UTC().Format(time.RFC3339))
		}
		var out struct {
			Records []auditLine `json:"records"`
			More    bool        `json:"more"`
		}
		if err := a.call(ctx, http.MethodGet, "keephold/audit?"+p.Encode(), nil, &out); err != nil {
			yield(audit.Entry{}, explain(err, "cannot read the audit log"))
			return
		}
		if out.More {
			env.talk("older records were left out: ask for less, or read the log itself with --dir")
		}
		for i := range out.Records {
			if e, err := out.Records[i].entry(); !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// tailKeep prints the last records of a keep's log, and with follow what is recorded later. A stream ends by itself after
// a while, or with the server; then it is asked for again from where it ended.
func (env Env) tailKeep(ctx context.Context, a *api, follow bool, last uint64) error {
	if !follow {
		return env.lastOfKeep(ctx, a, last)
	}
	if a.addr == localAddr {
		return usagef("nobody but this command line writes the local keep's log").withHint("follow its files instead: --dir")
	}
	a.unhurried()
	p := url.Values{"last": {strconv.FormatUint(last, 10)}}
	for {
		next, err := env.stream(ctx, a, "keephold/audit-tail?"+p.Encode())
		select {
		case <-ctx.Done():
			return nil // how following ends
		default:
		}
		if err != nil {
			return err
		}
		if next > 0 {
			p = url.Values{"from": {strconv.FormatUint(next, 10)}}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

func (env Env) lastOfKeep(ctx context.Context, a *api, last uint64) error {
	p := url.Values{}
	if last > 0 {
		p.Set("limit", strconv.FormatUint(last, 10))
	}
	var out struct {
		Records []auditLine `json:"records"`
	}
	if err := a.call(ctx, http.MethodGet, "keephold/audit?"+p.Encode(), nil, &out); err != nil {
		return explain(err, "cannot read the audit log")
	}
	for _, l := range out.Records {
		if err := env.printLine(l); err != nil {
			return err
		}
	}
	return nil
}

func (env Env) printLine(l auditLine) error {
	r := audit.Record{Seq: l.Seq, Data: l.Event}
	return env.print(strings.TrimSuffix(string(r.AppendLine(nil)), "\n") + "\n")
}

// stream prints the lines of one answer, and says from where to go on.
func (env Env) stream(ctx context.Context, a *api, path string) (next uint64, err error) {
	resp, err := a.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }() // everything of use was read
	if resp.StatusCode != http.StatusOK {
		_, _, err := a.take(resp)
		return 0, explain(err, "cannot follow the audit log")
	}
	lines := bufio.NewReader(resp.Body)
	for {
		b, err := lines.ReadBytes('\n')
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = nil
			}
			return next, err
		}
		var l auditLine
		if err := decode(b, &l); err != nil {
			return next, err
		}
		if err := env.printLine(l); err != nil {
			return next, err
		}
		next = l.Seq + 1
	}
}
