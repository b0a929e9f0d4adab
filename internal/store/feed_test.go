package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/store"
)

func batch(rev store.Revision, keys ...string) store.Batch {
	b := store.Batch{Upto: rev}
	for _, k := range keys {
		b.Changes = append(b.Changes, store.Change{Key: k, Rev: rev})
	}
	return b
}

// collect reads batches until one reaches a revision, or an error comes.
func collect(f *store.Feed, after, upto store.Revision) (got []store.Revision, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for b, err := range f.Watch(ctx, after) {
		if err != nil {
			return got, err
		}
		got = append(got, b.Upto)
		if b.Upto >= upto {
			break
		}
	}
	return got, nil
}

// TestFeedForgets: what no longer fits is forgotten from the front, and who needs it is told.
func TestFeedForgets(t *testing.T) {
	f := store.NewFeed(100, 10, time.Hour)
	for i := range 50 {
		f.Publish(batch(store.Revision(101+i), "a", "b"))
	}
	if _, err := collect(f, 144, 150); !errors.Is(err, store.ErrCompacted) {
		t.Errorf("from a forgotten revision: got %v", err)
	}
	if got, err := collect(f, 145, 150); err != nil || fmt.Sprint(got) != "[146 147 148 149 150]" {
		t.Errorf("from the oldest known: got %v, %v", got, err)
	}
	f.Publish(batch(151, "many", "changes", "of", "one", "batch", "are", "never", "cut", "in", "two", "halves"))
	if got, err := collect(f, 150, 151); err != nil || fmt.Sprint(got) != "[151]" {
		t.Errorf("a batch larger than the feed: got %v, %v", got, err)
	}
	f.Reset(500)
	if _, err := collect(f, 151, 152); !errors.Is(err, store.ErrCompacted) {
		t.Errorf("after a reset: got %v", err)
	}
	ended := errors.New("ended")
	f.Close(ended)
	f.Close(errors.New("again"))
	if _, err := collect(f, 500, 501); !errors.Is(err, ended) {
		t.Errorf("after the end: got %v", err)
	}
}

func TestFeedHeartbeat(t *testing.T) {
	f := store.NewFeed(7, 0, 5*time.Millisecond)
	beats := 0
	for b, err := range f.Watch(t.Context(), 7) {
		if err != nil || b.Upto != 7 || len(b.Changes) != 0 {
			t.Fatalf("got %+v, %v", b, err)
		}
		if beats++; beats == 3 {
			break
		}
	}
}

// TestFeedSlow: a watcher that falls behind is told so, not skipped over.
func TestFeedSlow(t *testing.T) {
	f := store.NewFeed(0, 4, time.Hour)
	f.Publish(batch(1, "a"))
	var last error
	n := 0
	for _, err := range f.Watch(t.Context(), 0) {
		if last = err; err != nil {
			break
		}
		if n++; n == 1 {
			for i := range 20 {
				f.Publish(batch(store.Revision(2+i), "a"))
			}
		}
	}
	if !errors.Is(last, store.ErrCompacted) || n != 1 {
		t.Errorf("after %d batches: got %v", n, last)
	}
}
