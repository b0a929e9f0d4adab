package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// answerScripts print what a shell offers after "keephold get API_", without anybody at its terminal. zsh prints what its line
// editor shows, the others the names.
var answerScripts = map[string][]string{
	"bash": {"--norc", "--noprofile", "-c", `
source <(keephold completion bash)
COMP_WORDS=(keephold get API_) COMP_CWORD=2 COMP_LINE="keephold get API_" COMP_POINT=17 COMP_TYPE=63
$(complete -p keephold | sed 's/.* -F \([^ ]*\) .*/\1/') 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"`},
	"fish": {"--no-config", "-c", `keephold completion fish | source; complete -C "keephold get API_"`},
	"zsh": {"-f", "-c", `
zmodload zsh/zpty
zpty editor "PS1= RPS1= zsh -f -i"
zpty -w editor "autoload -U compinit; compinit -u -D; source <(keephold completion zsh)"
zpty -w editor "offer() { BUFFER='keephold get API_'; CURSOR=\$#BUFFER; zle list-choices; BUFFER=\"print 'that ''is all'\"; zle accept-line }; zle -N offer; bindkey '^T' offer; print 'rea''dy'"
while zpty -r editor line; do [[ $line == *ready* ]] && break; done
zpty -w -n editor $'\C-t'
while zpty -r editor line && [[ $line != *'that is all'* ]]; do print -r -- "$line"; done`},
}

// TestCompletionOpensNothing asks each shell while the kernel is asked who opens anything of the keep: nobody, and what is
// offered is names.
func TestCompletionOpensNothing(t *testing.T) {
	s := newSeat(t, seatSettings)
	if _, talk, code := s.try("canary-value-71", "set", "API_EXTRA", "-q"); code != 0 {
		t.Fatal(talk)
	}
	watch := openings(t, filepath.Join(s.home, "data", "keephold"))
	for _, shell := range []string{"bash", "zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			needProgram(t, shell)
			s.t = t
			cmd := s.command(answerScripts[shell]...)
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Fatal(err)
			}
			cmd.Path, cmd.Args[0] = path, shell
			stop := time.AfterFunc(patience, func() { _ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }) // it leads a session
			out, err := cmd.Output()
			stop.Stop()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			got := fmt.Sprint(strings.Fields(string(out)))
			if shell != "zsh" && got != "[API_EXTRA API_TOKEN]" || !strings.Contains(got, "API_EXTRA") || !strings.Contains(got, "API_TOKEN") {
				t.Errorf("it offers %q", got)
			}
			for _, value := range []string{seatToken, "good day", "canary-value-71"} {
				if strings.Contains(string(out), value) {
					t.Errorf("it offers a value: %q", out)
				}
			}
			if opened := watch(); opened != "" {
				t.Errorf("it opens %s", opened)
			}
		})
	}
	s.t = t
	s.must("get", "API_TOKEN")
	if !strings.Contains(watch(), "keephold.db") {
		t.Error("the control, a get, opens nothing: this test looks in the wrong place")
	}
}

// openings watches a directory. The function names what was opened in it since the last call.
func openings(t *testing.T, dir string) func() string {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_OPEN); err != nil {
		t.Fatal(err)
	}
	return func() string {
		b := make([]byte, 64<<10)
		n, err := unix.Read(fd, b)
		if err == unix.EAGAIN {
			return ""
		}
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(b[unix.SizeofInotifyEvent:n]), "\x00", " ")
	}
}
