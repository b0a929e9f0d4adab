//go:build unix

package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// hot is how many secrets the short run has.
const hot = 10_000

// BenchmarkLoad drives servers over loopback and prints the rows of docs/benchmarks.md: every figure is the median of
// interleaved rounds, and what counts is its ratio to the floor of the same round. LOAD_ROUNDS and LOAD_MS set how many
// rounds and how long each is. BENCH_SIZES="1000 100000 1000000" climbs the ladder of sizes; BENCH_STORE keeps what was filled
// for the next run, LOAD_WARM_MS and LOAD_SOAK_MS are how long it warms up and reads before memory is looked at. LOAD_PROFILE=1 writes CPU
// profiles of the keep. LOAD_CGROUP is the directory of a memory cgroup in which the largest keep reads once more. It runs each scene once, whatever b.N is.
func BenchmarkLoad(b *testing.B) {
	for _, scene := range []struct {
		name string
		run  func(*testing.B)
	}{
		{"read", loadRead}, {"write", loadWrite}, {"sign-in", loadSignIn}, {"list", loadList}, {"dialects", loadDialects}, {"start", loadStart}, {"size", loadSizes},
	} {
		b.Run(scene.name, func(b *testing.B) {
			scene.run(b)
			b.ReportMetric(0, "ns/op")
		})
	}
}

func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// callers is how many ask at once: each of these in turn, or LOAD_C alone.
func callers() []int {
	if c := number("LOAD_C", 0); c > 0 {
		return []int{c}
	}
	return []int{1, 16, 64}
}

func rounds() int              { return number("LOAD_ROUNDS", 9) }
func roundTime() time.Duration { return time.Duration(number("LOAD_MS", 400)) * time.Millisecond }

// comparison collects the rounds of a keep against those of its floor.
type comparison struct{ keep, floor, cpu, floorCPU, ratio, cpuRatio series }

func (c *comparison) add(k, f round) {
	c.keep = append(c.keep, k.perSecond())
	c.floor = append(c.floor, f.perSecond())
	c.cpu = append(c.cpu, k.cpuEach())
	c.floorCPU = append(c.floorCPU, f.cpuEach())
	c.ratio = append(c.ratio, k.perSecond()/f.perSecond())
	c.cpuRatio = append(c.cpuRatio, k.cpuEach()/f.cpuEach())
}

func (c *comparison) report(b *testing.B, label string) {
	fmt.Printf("%-34s %8.0f/s  floor %8.0f/s  ratio %.2f   CPU %6.1f µs  floor %5.1f µs  ratio %.2f\n", label,
		c.keep.median(), c.floor.median(), c.ratio.median(), c.cpu.median(), c.floorCPU.median(), c.cpuRatio.median())
	b.ReportMetric(c.ratio.median(), strings.ReplaceAll(label, " ", "-")+"-of-floor")
}

// ofPeer sets a rate at c = 16 beside OpenBao's on one raft node with its file audit on, which was measured elsewhere: what
// can be compared is the order, until both run on one machine.
func ofPeer(label string, rate, peer float64) {
	fmt.Printf("%-34s %8.0f/s  of OpenBao's %.0f/s elsewhere: %.1f\n", label, rate, peer, rate/peer)
}

func storeDir(b *testing.B) string { return filepath.Join(b.TempDir(), "keep") }

func get(ch *child, buf []byte, path string) []byte {
	buf = append(buf, "GET /v1/"...)
	buf = append(buf, path...)
	return ch.finish(buf, "")
}

// finish ends a request by the root token.
func (ch *child) finish(buf []byte, body string) []byte { return finish(buf, ch.Token, body) }

// finish ends a request as a client's library would.
func finish(buf []byte, token, body string) []byte {
	buf = append(buf, " HTTP/1.1\r\nHost: 127.0.0.1:8200\r\nUser-Agent: Go-http-client/1.1\r\nX-Vault-Request: true\r\nX-Vault-Token: "...)
	buf = append(buf, token...)
	if body != "" {
		buf = append(buf, "\r\nContent-Type: application/json\r\nContent-Length: "...)
		buf = strconv.AppendInt(buf, int64(len(body)), 10)
	}
	buf = append(buf, "\r\n\r\n"...)
	return append(buf, body...)
}

func readOf(ch *child, count int) question {
	paths := make([]string, count)
	for i := range paths {
		paths[i] = "secret/data/" + secretPath(uint64(i))
	}
	return func(buf []byte, n uint64) []byte { return get(ch, buf, paths[n%uint64(count)]) }
}

// ordinaryReadOf reads with many ordinary tokens of ten policies each, what those policies grant.
func ordinaryReadOf(o order) question {
	tokens := make([]string, o.Tokens)
	for i := range tokens {
		tokens[i] = ordinaryToken(i)
	}
	return func(buf []byte, n uint64) []byte {
		i := int(n % uint64(len(tokens)))
		buf = append(buf, "GET /v1/secret/data/"...)
		buf = append(buf, secretPath(uint64(i%o.Policies%o.folders())*1000+n>>32%1000)...)
		return finish(buf, tokens[i], "")
	}
}

// sample is one answer of the keep, which the floor then gives to everybody.
func sample(b *testing.B, keep *child) []byte {
	w := gather(b, keep, 1)
	l := w.lines[0]
	l.out = get(keep, nil, "secret/data/"+secretPath(0))
	if err := l.exchange(); err != nil {
		b.Fatal(err)
	}
	_, body, _ := strings.Cut(string(l.in), "\r\n\r\n")
	return []byte(body)
}

func loadRead(b *testing.B) {
	furnished := order{Dir: storeDir(b), Secrets: hot, Tokens: 1000, Policies: 100}
	keep := spawn(b, "keep", furnished)
	body := sample(b, keep)
	floor := spawn(b, "floor", order{Body: body})
	floor.Token = keep.Token
	fmt.Printf("read: body of %d bytes\n", len(body))
	var next atomic.Uint64
	all := readOf(keep, hot)
	for w := gather(b, keep, 8); next.Load() < 4*hot; { // what is hot has been read before
		w.ask(b, roundTime(), func(buf []byte, _ uint64) []byte { return all(buf, next.Add(1)) })
	}
	for _, c := range callers() {
		got := compare(b, keep, floor, c, fmt.Sprintf("read c=%d", c), readOf(keep, hot))
		if c == 16 {
			ofPeer("read", got.keep.median(), 3001)
		}
		one := furnished
		one.Tokens = 1
		compare(b, keep, floor, c, fmt.Sprintf("read by an ordinary token c=%d", c), ordinaryReadOf(one))
		compare(b, keep, floor, c, fmt.Sprintf("read by ordinary tokens c=%d", c), ordinaryReadOf(furnished))
	}
}

// profile writes a CPU profile of the child until what it answers is called, where LOAD_PROFILE asks for one.
func (ch *child) profile(b *testing.B) (stop func()) {
	if os.Getenv("LOAD_PROFILE") == "" {
		return func() {}
	}
	var name, end string
	ch.order(b, "profile", &name)
	return func() {
		ch.order(b, "stop profile", &end)
		fmt.Println("profile:", name)
	}
}

// compare runs interleaved rounds against the keep and the floor.
func compare(b *testing.B, keep, floor *child, c int, label string, q question) *comparison {
	b.Helper()
	ours, theirs := gather(b, keep, c), gather(b, floor, c)
	ours.ask(b, roundTime()/4, q)
	theirs.ask(b, roundTime()/4, q)
	defer keep.profile(b)()
	before := keep.usage(b)
	var sum, sumFloor round
	got := new(comparison)
	for range rounds() {
		f := theirs.ask(b, roundTime(), q)
		k := ours.ask(b, roundTime(), q)
		sum.add(k)
		sumFloor.add(f)
		got.add(k, f)
	}
	got.report(b, label)
	fmt.Printf("    allocations %.1f; in the kernel %.0f %% of the time, floor %.0f %%; switches of threads %.2f, floor %.2f\n",
		float64(keep.usage(b).Mallocs-before.Mallocs)/float64(sum.answers), 100*sum.system/sum.cpu, 100*sumFloor.system/sumFloor.cpu,
		float64(sum.yields)/float64(sum.answers), float64(sumFloor.yields)/float64(sumFloor.answers))
	return got
}

func loadWrite(b *testing.B) {
	keep := spawn(b, "keep", order{Dir: storeDir(b), Secrets: hot})
	engine := spawn(b, "engine", order{Dir: storeDir(b)})
	var warm float64
	engine.order(b, "put 64 2000", &warm)
	for _, c := range callers() {
		rate := against(b, keep, engine, c, fmt.Sprintf("write c=%d", c), writeOf(keep))
		if c == 16 {
			ofPeer("write", rate, 559)
		}
	}
}

func post(ch *child, buf []byte, path, body string) []byte {
	buf = append(buf, "POST /v1/"...)
	buf = append(buf, path...)
	return ch.finish(buf, body)
}

// against runs interleaved rounds against the keep and the engine alone, and answers the keep's rate.
func against(b *testing.B, keep, engine *child, c int, label string, q question) float64 {
	b.Helper()
	ours := gather(b, keep, c)
	ours.ask(b, roundTime()/4, q)
	defer keep.profile(b)()
	var rate, bare, ratio, cpu series
	for range rounds() {
		var put float64
		engine.order(b, fmt.Sprintf("put %d %d", c, roundTime().Milliseconds()), &put)
		k := ours.ask(b, roundTime(), q)
		rate, bare, ratio, cpu = append(rate, k.perSecond()), append(bare, put), append(ratio, k.perSecond()/put), append(cpu, k.cpuEach())
	}
	fmt.Printf("%-34s %8.0f/s  bare put %5.0f/s  ratio %.2f   CPU %6.1f µs\n", label, rate.median(), bare.median(), ratio.median(), cpu.median())
	b.ReportMetric(ratio.median(), strings.ReplaceAll(label, " ", "-")+"-of-put")
	return rate.median()
}

// loadSignIn sets sign-ins beside the keep's own write and beside the bare put, in the same rounds.
func loadSignIn(b *testing.B) {
	keep := spawn(b, "keep", order{Dir: storeDir(b), Secrets: hot})
	engine := spawn(b, "engine", order{Dir: storeDir(b)})
	var put float64
	engine.order(b, "put 64 1000", &put)
	for _, c := range []int{16, 64} {
		w := gather(b, keep, c)
		durable, sealed, write := login(keep, keep.RoleID, keep.SecretID), login(keep, keep.SealedRoleID, keep.SealedSecretID), writeOf(keep)
		w.ask(b, roundTime()/4, durable)
		var rate, cpu, ofWrite, ofPut, sealedRate, sealedCPU series
		for range rounds() {
			engine.order(b, fmt.Sprintf("put %d %d", c, roundTime().Milliseconds()), &put)
			wrote, d, s := w.ask(b, roundTime(), write), w.ask(b, roundTime(), durable), w.ask(b, roundTime(), sealed)
			rate, cpu = append(rate, d.perSecond()), append(cpu, d.cpuEach())
			ofWrite, ofPut = append(ofWrite, d.perSecond()/wrote.perSecond()), append(ofPut, d.perSecond()/put)
			sealedRate, sealedCPU = append(sealedRate, s.perSecond()), append(sealedCPU, s.cpuEach())
		}
		fmt.Printf("%-34s %8.0f/s  of the keep's write %.2f   of the bare put %.2f   CPU %6.1f µs\n",
			fmt.Sprintf("sign-in durable c=%d", c), rate.median(), ofWrite.median(), ofPut.median(), cpu.median())
		fmt.Printf("%-34s %8.0f/s  of a peer's durable one (457/s) %.1f   CPU %6.1f µs\n", fmt.Sprintf("sign-in sealed c=%d", c), sealedRate.median(), sealedRate.median()/457, sealedCPU.median())
		b.ReportMetric(ofWrite.median(), fmt.Sprintf("sign-in-c=%d-of-write", c))
	}
}

func login(ch *child, role, id string) question {
	body := fmt.Sprintf(`{"role_id":%q,"secret_id":%q}`, role, id)
	return func(buf []byte, _ uint64) []byte { return post(ch, buf, "auth/approle/login", body) }
}

func writeOf(ch *child) question {
	return func(buf []byte, n uint64) []byte {
		return post(ch, buf, "secret/data/"+secretPath(n%hot), `{"data":`+string(secretData(n))+`}`)
	}
}

func loadList(b *testing.B) {
	keep := spawn(b, "keep", order{Dir: storeDir(b), Secrets: 2000})
	floor := spawn(b, "floor", order{Body: sample(b, keep)})
	floor.Token = keep.Token
	got := compare(b, keep, floor, 16, "list of 1,000 names c=16", func(buf []byte, _ uint64) []byte {
		return keep.finish(append(buf, "LIST /v1/secret/metadata/team-0000"...), "")
	})
	ofPeer("list of 1,000 names", got.keep.median(), 320)
}

// loadSizes climbs the ladder of sizes: the same question costs the same, however much is kept.
func loadSizes(b *testing.B) {
	sizes := strings.Fields(os.Getenv("BENCH_SIZES"))
	if len(sizes) == 0 {
		sizes = []string{"1000", "20000"}
	}
	few := order{Dir: storeDir(b), Secrets: 1000, Tokens: 100, Policies: 10}
	small := spawn(b, "keep", few)
	for _, s := range sizes[1:] {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatal(err)
		}
		climb(b, small, few, n)
	}
}

// climb compares a keep of n secrets, and of tokens and policies in proportion, with one of few. The small one's questions
// are asked in the same rounds.
func climb(b *testing.B, small *child, few order, n int) {
	o := order{Dir: ladderDir(b, n), Secrets: n, Tokens: n / 10, Policies: min(max(n/1000, 10), 1000)}
	b.Run(strconv.Itoa(n), func(b *testing.B) { // fills the store and ends
		start := time.Now()
		spawn(b, "keep", o)
		fmt.Printf("%-34s %8.0f/s\n", fmt.Sprintf("filling %d secrets, %d tokens", n, o.Tokens), float64(n+o.Tokens)/time.Since(start).Seconds())
	})
	free := soak(b, o, fmt.Sprintf("memory at %d", n))
	if group := os.Getenv("LOAD_CGROUP"); group != "" {
		bound := o
		bound.Cgroup = group
		fmt.Printf("%-34s %8.2f of the throughput\n", "within the memory of "+filepath.Base(group), soak(b, bound, fmt.Sprintf("bounded memory at %d", n))/free)
	}
	large := spawn(b, "keep", o)
	fmt.Printf("%-34s %8.0f ms\n", fmt.Sprintf("opening %d secrets", n), large.Opened*1000)
	large.compareWith(b, small, 16, fmt.Sprintf("hot read of %d against 1000", n), readOf(large, 1000), readOf(small, 1000))
	large.compareWith(b, small, 16, fmt.Sprintf("uniform read of %d against 1000", n), readOf(large, n), readOf(small, 1000))
	large.compareWith(b, small, 16, fmt.Sprintf("read by %d tokens against 100", o.Tokens), ordinaryReadOf(o), ordinaryReadOf(few))
	list := func(ch *child, folders int) question {
		return func(buf []byte, n uint64) []byte {
			return ch.finish(fmt.Appendf(buf, "LIST /v1/secret/metadata/team-%04d", n%uint64(folders)), "")
		}
	}
	large.compareWith(b, small, 4, fmt.Sprintf("list page of %d against 1000", n), list(large, n/1000), list(small, 1))
	large.compareWith(b, small, 16, fmt.Sprintf("sign-in at %d against 1000", n), login(large, large.RoleID, large.SecretID), login(small, small.RoleID, small.SecretID))
	u := large.usage(b)
	fmt.Printf("%-34s %8.1f MiB anonymous, heap %.1f MiB, after all of this\n", fmt.Sprintf("memory at %d", n), float64(u.Anonymous)/(1<<20), float64(u.Heap)/(1<<20))
}

// soak reads uniformly, and does nothing else, before memory is looked at. It answers the reads a second.
func soak(b *testing.B, o order, label string) (perSecond float64) {
	b.Run(strconv.Itoa(o.Secrets), func(b *testing.B) {
		large := spawn(b, "keep", o)
		w := gather(b, large, 16)
		got := w.ask(b, time.Duration(number("LOAD_SOAK_MS", 5000))*time.Millisecond, readOf(large, o.Secrets))
		u := large.usage(b)
		perSecond = got.perSecond()
		fmt.Printf("%-34s %8.1f MiB anonymous, heap %.1f MiB, after %.0f s of uniform reads at %.0f/s\n", label,
			float64(u.Anonymous)/(1<<20), float64(u.Heap)/(1<<20), got.seconds, perSecond)
	})
	return perSecond
}

// ladderDir is where n secrets lie: in BENCH_STORE, for the next run too, or for this one.
func ladderDir(b *testing.B, n int) string {
	if dir := os.Getenv("BENCH_STORE"); dir != "" {
		return filepath.Join(dir, strconv.Itoa(n))
	}
	return storeDir(b)
}

// compareWith measures what n secrets cost more than few.
func (ch *child) compareWith(b *testing.B, small *child, c int, label string, q, qSmall question) {
	b.Helper()
	large := gather(b, ch, c)
	large.ask(b, time.Duration(number("LOAD_WARM_MS", 5000))*time.Millisecond, q) // what is asked for the first time has other costs
	few := gather(b, small, c)
	few.ask(b, roundTime(), qSmall)
	defer ch.profile(b)()
	got := new(comparison)
	for range rounds() {
		f := few.ask(b, roundTime(), qSmall)
		got.add(large.ask(b, roundTime(), q), f)
	}
	got.report(b, label)
}
