package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/keephold/keephold/internal/audit"
)

const (
	tortureClients = 64
	tortureKeys    = 16
	tortureOps     = 40 // of one client: four clients on a key stay below 200 operations
)

// rounds is how often a server is killed.
func rounds(t *testing.T) int {
	text := os.Getenv("KEEPHOLD_TORTURE_ROUNDS")
	if text == "" {
		return 2
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// act is one operation on a key, as porcupine's input and output.
type act struct {
	write   bool
	value   string
	version uint64
	unknown bool // it was sent, and no answer came
}

// register is a versioned value: a write gives the next number, a read answers the last.
func register() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return act{} },
		Step: func(state, input, output any) (bool, any) {
			s, in, out := state.(act), input.(act), output.(act)
			if !in.write {
				return out.version == s.version && out.value == s.value, s
			}
			next := act{value: in.value, version: s.version + 1}
			return out.unknown || out.version == next.version, next
		},
	}
}

// TestTortureWrites kills a server under 64 writers again and again. No acknowledged write may be lost and no version
// used twice; the history of each key is linearizable, across the death and what the next process answers; the audit log
// verifies and holds every acknowledged change.
func TestTortureWrites(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keep")
	acknowledged := map[string]map[uint64]string{} // by path
	p := devProcess(t, dir)
	p.must(nil, "POST", "secret/config", `{"max_versions":250}`)
	total := 0
	for round := range rounds(t) {
		histories := storm(t, p, round)
		p = devProcess(t, dir)
		for k := range histories {
			path := tortureKey(round, k)
			call := time.Now().UnixNano()
			last, ok := p.readKey(path)
			if !ok {
				t.Fatalf("round %d: %s does not read: %s", round, path, p.talk)
			}
			histories[k] = append(histories[k], porcupine.Operation{ClientId: tortureClients, Input: act{}, Output: last, Call: call, Return: time.Now().UnixNano()})
			acknowledged[path] = p.checkKept(path, histories[k])
			total += len(acknowledged[path])
			if got := porcupine.CheckOperationsTimeout(register(), histories[k], 10*time.Minute); got != porcupine.Ok {
				t.Fatalf("round %d: the history of %s, %d operations: %s", round, path, len(histories[k]), got)
			}
		}
	}
	p.kill(syscall.SIGKILL)
	p = devProcess(t, dir) // drains what waited
	p.kill(syscall.SIGINT)
	checkAudit(t, filepath.Join(dir, "audit"), acknowledged)
	t.Logf("%d rounds, %d acknowledged writes", rounds(t), total)
}

func tortureKey(round, k int) string { return fmt.Sprintf("torture/%d/%d", round, k) }

// storm lets the clients work until the server is killed under them.
func storm(t *testing.T, p *process, round int) [][]porcupine.Operation {
	var mu sync.Mutex
	var all sync.WaitGroup
	histories := make([][]porcupine.Operation, tortureKeys)
	for client := range tortureClients {
		all.Go(func() {
			k := client % tortureKeys
			for i := range tortureOps {
				op := porcupine.Operation{ClientId: client, Call: time.Now().UnixNano()}
				alive := p.tortureOp(&op, tortureKey(round, k), fmt.Sprintf("%d-%d-%d", round, client, i), i%4 == 3)
				if in, _ := op.Input.(act); alive || in.write { // an unanswered read tells nothing
					mu.Lock()
					histories[k] = append(histories[k], op)
					mu.Unlock()
				}
				if !alive {
					return
				}
			}
		})
	}
	time.Sleep(time.Duration(100+rand.IntN(700)) * time.Millisecond)
	p.kill(syscall.SIGKILL)
	all.Wait()
	return histories
}

// tortureOp does one operation and says whether it was answered.
func (p *process) tortureOp(op *porcupine.Operation, path, value string, read bool) bool {
	if read {
		got, ok := p.readKey(path)
		op.Input, op.Output, op.Return = act{}, got, time.Now().UnixNano()
		return ok
	}
	op.Input = act{write: true, value: value}
	status, b, err := p.do("POST", "secret/data/"+path, fmt.Sprintf(`{"data":{"v":%q}}`, value))
	var a struct{ Data struct{ Version uint64 } }
	if err != nil || status != http.StatusOK || json.Unmarshal(b, &a) != nil {
		op.Output, op.Return = act{unknown: true}, math.MaxInt64
		return false
	}
	op.Output, op.Return = act{version: a.Data.Version}, time.Now().UnixNano()
	return true
}

func (p *process) readKey(path string) (act, bool) {
	status, b, err := p.do("GET", "secret/data/"+path, "")
	var a struct {
		Data struct {
			Data     struct{ V string }
			Metadata struct{ Version uint64 }
		}
	}
	switch {
	case err != nil:
		return act{}, false
	case status == http.StatusNotFound:
		return act{}, true
	case status != http.StatusOK || json.Unmarshal(b, &a) != nil:
		return act{}, false
	}
	return act{value: a.Data.Data.V, version: a.Data.Metadata.Version}, true
}

// checkKept reads every acknowledged version of a key back.
func (p *process) checkKept(path string, history []porcupine.Operation) map[uint64]string {
	p.t.Helper()
	kept := map[uint64]string{}
	for _, op := range history {
		in, out := op.Input.(act), op.Output.(act)
		if !in.write || out.unknown {
			continue
		}
		if other, twice := kept[out.version]; twice {
			p.t.Fatalf("%s: version %d was given to %s and to %s", path, out.version, other, in.value)
		}
		kept[out.version] = in.value
		got, ok := p.readKey(path + "?version=" + strconv.FormatUint(out.version, 10))
		if !ok || got.value != in.value {
			p.t.Fatalf("%s: version %d was acknowledged with %s and reads %+v", path, out.version, in.value, got)
		}
	}
	return kept
}

// checkAudit verifies the log and finds every acknowledged change in it, once.
func checkAudit(t *testing.T, dir string, acknowledged map[string]map[uint64]string) {
	t.Helper()
	if _, err := audit.Verify(context.Background(), dir, audit.VerifyOptions{}); err != nil {
		t.Fatal(err)
	}
	found := map[string]map[uint64]int{}
	for e, err := range audit.Events(context.Background(), dir, 0) {
		if err != nil {
			t.Fatal(err)
		}
		w := e.Event.What
		if e.Event.Kind != audit.Change || w.Version == 0 {
			continue
		}
		if found[w.Path] == nil {
			found[w.Path] = map[uint64]int{}
		}
		found[w.Path][w.Version]++
	}
	for path, versions := range acknowledged {
		for n := range versions {
			if got := found[path][n]; got != 1 {
				t.Errorf("%s@%d: %d records in the audit log, want 1", path, n, got)
			}
		}
	}
}

// TestTortureUnwrap: of 64 that race for a wrapped answer one gets it, also when the server is killed among them and
// they try again.
func TestTortureUnwrap(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keep")
	p := devProcess(t, dir)
	for round := range rounds(t) + 1 {
		var w struct {
			WrapInfo struct{ Token string } `json:"wrap_info"`
		}
		p.must(&w, "POST", "sys/wrapping/wrap", `{"once":"only"}`, "X-Vault-Wrap-TTL", "300s")
		won := 0
		for _, deadly := range []bool{round > 0, false} {
			won += race(p, w.WrapInfo.Token, deadly)
			if deadly {
				p = devProcess(t, dir)
			}
		}
		if won > 1 || round == 0 && won != 1 {
			t.Fatalf("round %d: %d got the wrapped answer", round, won)
		}
	}
}

// race lets 64 clients unwrap one token, and says how many got the answer.
func race(p *process, token string, deadly bool) int {
	var all sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range tortureClients {
		all.Go(func() {
			status, _, err := p.do("POST", "sys/wrapping/unwrap", "", "X-Vault-Token", token)
			if err == nil && status == http.StatusOK {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	if deadly {
		time.Sleep(time.Duration(rand.IntN(12)) * time.Millisecond)
		p.kill(syscall.SIGKILL)
	}
	all.Wait()
	return won
}
