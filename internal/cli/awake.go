package cli

import (
	"context"
	"io"
)

// awake reads stdin for commands that go on for as long as something comes: an interrupt ends the reading, also while
// nothing comes. The read that waits then is left behind, until the process ends.
func (env Env) awake() io.Reader {
	return &awakeReader{end: env.interrupted, in: env.Stdin}
}

const pieceSize = 128 << 10

type piece struct {
	buf []byte
	n   int
	err error
}

type awakeReader struct {
	end  <-chan struct{}
	in   io.Reader
	got  chan piece
	free chan []byte
	cur  piece
	from int // where in cur goes on what was not read yet
}

func (a *awakeReader) fill() {
	for buf := range a.free {
		n, err := a.in.Read(buf)
		select {
		case a.got <- piece{buf, n, err}:
		case <-a.end:
			return
		}
		if err != nil {
			return
		}
	}
}

// Read implements [io.Reader].
func (a *awakeReader) Read(b []byte) (int, error) {
	if a.got == nil { // nothing is taken that nobody asked for: a program that is started may want it
		a.got, a.free = make(chan piece), make(chan []byte, 2)
		a.free <- make([]byte, pieceSize)
		a.free <- make([]byte, pieceSize)
		go a.fill()
	}
	for a.from == a.cur.n {
		if a.cur.err != nil {
			return 0, a.cur.err
		}
		if a.cur.buf != nil {
			a.free <- a.cur.buf
		}
		a.cur, a.from = piece{}, 0
		select {
		case a.cur = <-a.got:
		case <-a.end:
			a.cur.err = context.Canceled
		}
	}
	n := copy(b, a.cur.buf[a.from:a.cur.n])
	a.from += n
	return n, nil
}

// attend waits for somebody at the terminal, and no longer than until an interrupt. What waits then is left behind.
func attend[T any](env Env, read func() (T, error)) (T, error) {
	type answer struct {
		given T
		err   error
	}
	got := make(chan answer, 1)
	go func() {
		given, err := read()
		got <- answer{given, err}
	}()
	select {
	case a := <-got:
		return a.given, a.err
	case <-env.interrupted:
		var none T
		return none, context.Canceled
	}
}
