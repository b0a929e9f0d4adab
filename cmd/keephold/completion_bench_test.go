//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// completionRounds is how many completions a shell makes in a row; what starting it takes falls on none of them.
const completionRounds = 10

// shellScripts complete "keephold get $1" $2 times, the way that each shell does it when Tab is pressed, and print the
// milliseconds that one took. With $3 a function of the shell answers in the place of keephold: that is the shell's own floor.
//
// What bash calls is a function with the line in variables. fish has a command for it. zsh completes in its line editor only:
// a widget does it, in an interactive zsh on a terminal of its own.
var shellScripts = map[string]string{
	"bash": `
source <(keephold completion bash)
answer=$(keephold __complete get "$1" 2>/dev/null)
if [[ -n $3 ]]; then keephold() { printf '%s\n' "$answer"; }; fi
COMP_WORDS=(keephold get "$1") COMP_CWORD=2 COMP_LINE="keephold get $1" COMP_POINT=${#COMP_LINE} COMP_TYPE=9
began=${EPOCHREALTIME/[.,]/}
for ((i = 0; i < $2; i++)); do COMPREPLY=(); __start_keephold 2>/dev/null; done
ended=${EPOCHREALTIME/[.,]/}
((${#COMPREPLY[@]} > 0)) || exit 1
echo $(((ended - began) / $2)) # in microseconds, as the others`,
	"fish": `
keephold completion fish | source
set answer (keephold __complete get $argv[1] 2>/dev/null)
if test -n "$argv[3]"; function keephold; printf '%s\n' $answer; end; end
set began (date +%s%N)
for i in (seq $argv[2]); complete -C "keephold get $argv[1]" >/dev/null; end
set ended (date +%s%N)
complete -C "keephold get $argv[1]" | string match -q -- "$argv[1]*"; or exit 1
math "floor(($ended - $began) / 1000 / $argv[2])"`,
	"zsh": `
zmodload zsh/zpty
zpty editor "PS1= RPS1= zsh -f -i"
zpty -w editor "autoload -U compinit; compinit -u -D; source <(keephold completion zsh); unsetopt AUTO_LIST LIST_AMBIGUOUS BEEP; zmodload zsh/datetime"
zpty -w editor "answer=\$(keephold __complete get ${(q)1} 2>/dev/null)"
[[ -n $3 ]] && zpty -w editor 'keephold() { print -r -- "$answer" }'
zpty -w editor "rounds() { local began=\$EPOCHREALTIME i; for ((i = 0; i < $2; i++)); do BUFFER='keephold get ${1}'; CURSOR=\$#BUFFER; zle complete-word; done
  local took=\$(((EPOCHREALTIME - began) * 1000000 / $2)); [[ \$BUFFER == 'keephold get ${1}'?* ]] || took=no; BUFFER=\"print 'to''ok' \${took%.*}\"; zle accept-line }"
zpty -w editor "zle -N rounds; bindkey '^T' rounds"
zpty -w -n editor $'\C-t'
while zpty -r editor line; do
	[[ $line == took* ]] && { print ${line//[^0-9]/}; exit }
done
exit 1`,
}

// BenchmarkCompleteInShells is what a person waits for after Tab, in the shells themselves: ms for one completion with
// keephold, floor-ms for the same one with its answer at hand. It completes one name of 1,000, and all of them.
func BenchmarkCompleteInShells(b *testing.B) {
	s := seatOf(b, builtFor(b), 1000)
	s.env = slices.DeleteFunc(s.env, func(v string) bool { return strings.HasPrefix(v, "PATH=") })
	s.env = append(s.env, "PATH="+filepath.Dir(s.exe)+":"+os.Getenv("PATH"))
	for _, shell := range []string{"bash", "zsh", "fish"} {
		for name, typed := range map[string]string{"one": "SETTING_077", "all": "S"} {
			b.Run(shell+"/"+name, func(b *testing.B) {
				path, err := exec.LookPath(shell)
				if err != nil {
					b.Skipf("needs %s", shell)
				}
				for b.Loop() {
					var with, floor []float64
					for range 3 { // interleaved
						with = append(with, completionIn(b, s, path, typed, ""))
						floor = append(floor, completionIn(b, s, path, typed, "floor"))
					}
					slices.Sort(with)
					slices.Sort(floor)
					b.ReportMetric(with[1], "ms")
					b.ReportMetric(floor[1], "floor-ms")
				}
			})
		}
	}
}

func completionIn(b *testing.B, s *seat, shell, typed, floor string) float64 {
	b.Helper()
	name := filepath.Base(shell)
	args := map[string][]string{"bash": {"--norc", "--noprofile", "-c", shellScripts[name], "bash"}, "zsh": {"-f", "-c", shellScripts[name], "zsh"}, "fish": {"--no-config", "-c", shellScripts[name]}}[name]
	cmd := s.command(append(args, typed, strconv.Itoa(completionRounds), floor)...)
	cmd.Path, cmd.Args[0] = shell, name
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%s: %v\n%s", name, err, out)
	}
	took, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	return took / 1000
}
