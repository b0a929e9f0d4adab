//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// programs are what the tests start besides the command: the test binary under another name.
func programs() map[string]func() { return map[string]func(){"probe": probe} }

// probe is a program that tells what reaches it.
func probe() {
	switch args := os.Args[2:]; os.Args[1] {
	case "exit":
		n, _ := strconv.Atoi(args[0])
		os.Exit(n)
	case "die": // by its own signal, as the kernel does it and not as Go's runtime would
		n, _ := strconv.Atoi(args[0])
		signal.Reset()
		_ = syscall.Exec("/bin/sh", []string{"sh", "-c", fmt.Sprintf("kill -%d $$; exec sleep 60", n)}, os.Environ())
	case "count":
		probeCount(args)
	case "stubborn":
		signal.Ignore(unix.SIGTERM)
		fmt.Println("ready", os.Getpid())
		time.Sleep(time.Hour)
	case "ignored": // the signals that were ignored when this program began
		fmt.Println("hup", signal.Ignored(unix.SIGHUP), "int", signal.Ignored(unix.SIGINT))
	case "environ":
		probeEnviron(args)
	case "stdin":
		b, err := io.ReadAll(os.Stdin)
		fmt.Printf("%d bytes, %v\n", len(b), err)
	case "resize":
		ch := make(chan os.Signal, 8)
		signal.Notify(ch, unix.SIGWINCH)
		printSize()
		for range ch {
			printSize()
		}
	case "orphan":
		probeOrphan()
	case "screen":
		probeScreen()
	}
	os.Exit(0)
}

// probeCount counts a signal until another comes, and exits with 40 plus the count.
func probeCount(args []string) {
	wanted, _ := strconv.Atoi(args[0])
	end, _ := strconv.Atoi(args[1])
	ch := make(chan os.Signal, 16)
	signal.Notify(ch, syscall.Signal(wanted), syscall.Signal(end))
	fmt.Println("ready")
	count := 0
	for s := range ch {
		if s == syscall.Signal(end) {
			os.Exit(40 + count)
		}
		count++
		fmt.Println("got", count)
	}
}

// probeEnviron prints how many variables begin with a prefix and how long all their values are.
func probeEnviron(args []string) {
	count, length := 0, 0
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, args[0]) {
			count++
			length += len(value)
		}
	}
	fmt.Printf("%d variables, %d bytes\n", count, length)
}

func printSize() {
	w, h, err := term.GetSize(0)
	fmt.Println("size", w, h, err)
}

// probeOrphan leaves a grandchild behind that ends, and waits for process 1 to bury it: only then is its id gone.
func probeOrphan() {
	out, err := exec.Command("sh", "-c", "sleep 0.1 >/dev/null 2>&1 & echo $!").Output()
	pid, convErr := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil || convErr != nil {
		fmt.Println("no orphan:", err, convErr)
		return
	}
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if unix.Kill(pid, 0) == unix.ESRCH {
			fmt.Println("buried by", os.Getppid())
			return
		}
	}
	fmt.Println("a zombie stays")
}

// probeScreen is a program for the whole screen: the alternate one, raw keys, a status line with the size. s shows the
// secret, z stops it as ^Z would, q ends it.
func probeScreen() {
	before, err := term.MakeRaw(0)
	if err != nil {
		fmt.Println("no terminal:", err)
		os.Exit(1)
	}
	fmt.Print("\x1b[?1049h\x1b[2J\x1b[H")
	defer func() {
		fmt.Print("\x1b[?1049l")
		_ = term.Restore(0, before)
		os.Exit(0)
	}()
	resized := make(chan os.Signal, 8)
	signal.Notify(resized, unix.SIGWINCH)
	keys := make(chan byte)
	go func() {
		defer close(keys)
		in := bufio.NewReader(os.Stdin)
		for {
			b, err := in.ReadByte()
			if err != nil {
				return
			}
			keys <- b
		}
	}()
	draw := func(text string) {
		w, h, _ := term.GetSize(0)
		fmt.Printf("\x1b[%d;1H\x1b[7m%s (%dx%d)\x1b[0m", h, text, w, h)
	}
	draw("ready")
	for {
		select {
		case <-resized:
			draw("resized")
		case b, ok := <-keys:
			switch {
			case !ok || b == 'q':
				return
			case b == 's':
				draw("the token is " + os.Getenv("API_TOKEN"))
			default:
				draw(fmt.Sprintf("key %#02x", b))
			}
		}
	}
}
