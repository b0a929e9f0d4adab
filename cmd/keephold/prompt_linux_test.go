package main

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPromptInterrupted presses ^C where somebody is asked for a value. The terminal is as it was afterwards.
func TestPromptInterrupted(t *testing.T) {
	s := newSeat(t, seatSettings)
	p := s.onTerminal("keephold", "put", "secret/app", "password")
	p.want("password: ")
	echoes := func() bool {
		m, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return m.Lflag&unix.ECHO != 0
	}
	for until := time.Now().Add(patience); echoes(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("what is typed is shown")
		}
	}
	p.press("\x03")
	p.wantCode(130)
	if !echoes() {
		t.Error("the terminal does not show any more what is typed")
	}
}
