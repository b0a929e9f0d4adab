package server_test

import (
	"context"
	"testing"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/server"
)

func tokenOf(d *server.Dev) string    { return string(d.Token.Reveal()) }
func secretIDOf(d *server.Dev) string { return string(d.SecretID.Reveal()) }

// newRoot makes a root token as the owner of the machine can.
func newRoot(t *testing.T, d *server.Dev) string {
	t.Helper()
	issued, err := server.DeskOf(d.Server).RootToken(context.Background(), auth.From{})
	if err != nil {
		t.Fatal(err)
	}
	return string(issued.Token.Reveal())
}
