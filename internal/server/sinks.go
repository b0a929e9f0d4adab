package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/audit/sink"
	"github.com/keephold/keephold/internal/audit/sink/http"
	"github.com/keephold/keephold/internal/audit/sink/stdout"
	"github.com/keephold/keephold/internal/audit/sink/syslog"
	"github.com/keephold/keephold/internal/front/vault"
)

// sinkOf makes the sink of one [[audit.sink]]. Sinks come from the server's own configuration and from nowhere else: a
// sink that a request could name would be a way to write files and reach hosts.
func sinkOf(f SinkFile, out io.Writer) (audit.Sink, error) {
	switch f.Kind {
	case "stdout":
		return &stdout.Sink{W: out}, nil
	case "http":
		if !strings.HasPrefix(f.Address, "https://") && !strings.HasPrefix(f.Address, "http://") {
			return nil, fmt.Errorf("[[audit.sink]] kind \"http\" needs address = \"https://…\"")
		}
		return &http.Sink{URL: f.Address}, nil
	case "syslog":
		network, address, ok := strings.Cut(f.Address, "://")
		if !ok {
			network, address = "", f.Address
		}
		return &syslog.Sink{Network: network, Address: address}, nil
	}
	return nil, fmt.Errorf("[[audit.sink]] kind %q is none of \"syslog\", \"stdout\", \"http\"", f.Kind)
}

// feeds makes one feed for each sink. Each has a durable cursor beside the log and is never waited for.
func feeds(k *Keep, dir string, files []SinkFile, out io.Writer, log *slog.Logger) ([]*sink.Feed, error) {
	var all []*sink.Feed
	for i, f := range files {
		s, err := sinkOf(f, out)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("%s-%d", f.Kind, i+1)
		all = append(all, &sink.Feed{Log: k.Log, Sink: s, Cursor: sink.CursorFile(dir, name), OnError: func(err error) {
			log.Warn("audit sink is behind", slog.String("sink", name), slog.String("error", err.Error()))
		}})
	}
	return all, nil
}

// runFeeds feeds the sinks from a log until ctx ends, which the answer waits for. A sink that fails is behind, never a
// reason to stop serving.
func runFeeds(ctx context.Context, all []*sink.Feed, from *audit.Log, log *slog.Logger) *sync.WaitGroup {
	var running sync.WaitGroup
	for _, f := range all {
		f.Log = from // nobody runs it now
		running.Go(func() {
			if err := f.Run(ctx); err != nil && ctx.Err() == nil {
				log.Error("audit sink stopped", slog.String("error", err.Error()))
			}
		})
	}
	return &running
}

// devices is how sys/audit shows the sinks. Where they lead is the operator's business, so no address is shown.
func devices(files []SinkFile) []vault.AuditDevice {
	var all []vault.AuditDevice
	for i, f := range files {
		all = append(all, vault.AuditDevice{
			Path: fmt.Sprintf("%s-%d/", f.Kind, i+1), Type: f.Kind, Description: "a copy of the log, from the server's configuration", Options: map[string]string{},
		})
	}
	return all
}
