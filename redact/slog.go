package redact

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
)

// Handler returns a slog.Handler that masks messages, attributes and errors before h sees them. The value of an
// attribute with a telling name is masked whatever it is.
func (r *Redactor) Handler(h slog.Handler) slog.Handler {
	return &handler{r: r, next: h, names: newNames(r.opts.Names)}
}

type handler struct {
	r     *Redactor
	next  slog.Handler
	names names
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *handler) Handle(ctx context.Context, rec slog.Record) error {
	out := slog.NewRecord(rec.Time, rec.Level, h.r.String(rec.Message), rec.PC)
	rec.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(h.attr(a))
		return true
	})
	return h.next.Handle(ctx, out)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	masked := slices.Clone(attrs)
	for i := range masked {
		masked[i] = h.attr(masked[i])
	}
	return &handler{r: h.r, next: h.next.WithAttrs(masked), names: h.names}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{r: h.r, next: h.next.WithGroup(name), names: h.names}
}

func (h *handler) attr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	if v.Kind() != slog.KindGroup && !h.r.opts.ValueOnly && h.names.secret([]byte(a.Key)) {
		return slog.String(a.Key, h.r.mask(a.Key))
	}
	switch v.Kind() {
	case slog.KindGroup:
		group := slices.Clone(v.Group())
		for i := range group {
			group[i] = h.attr(group[i])
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(group...)}
	case slog.KindString:
		return slog.String(a.Key, h.r.String(v.String()))
	case slog.KindAny:
		// Numbers and the like cannot hold a secret's text; anything else is shown as its text, masked, if that text
		// holds one, and left to the next handler otherwise.
		text := fmt.Sprintf("%+v", v.Any())
		if masked := h.r.String(text); masked != text {
			return slog.String(a.Key, masked)
		}
		if err, ok := v.Any().(error); ok {
			return slog.String(a.Key, h.r.String(err.Error()))
		}
	}
	return slog.Attr{Key: a.Key, Value: v}
}
