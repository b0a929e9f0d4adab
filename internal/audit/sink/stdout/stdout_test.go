package stdout_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/audit/sink/stdout"
)

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("pipe closed") }

func TestAppend(t *testing.T) {
	var out bytes.Buffer
	s := &stdout.Sink{W: &out}
	recs := []audit.Record{{Seq: 7, Data: []byte("{\"kind\":\"read\"}\n")}, {Seq: 8, Data: []byte("{\"kind\":\"change\"}\n")}}
	for range 2 {
		out.Reset()
		if err := s.Append(context.Background(), recs); err != nil {
			t.Fatal(err)
		}
		if got, want := out.String(), "{\"seq\":7,\"kind\":\"read\"}\n{\"seq\":8,\"kind\":\"change\"}\n"; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	if err := (&stdout.Sink{W: broken{}}).Append(context.Background(), recs); err == nil {
		t.Fatal("a broken pipe took the records")
	}
}
