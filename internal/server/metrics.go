package server

import (
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/keephold/keephold/internal/custody"
)

// metrics counts what the server does. Labels come from short literal lists: no path, no name, no address ever becomes
// a label, so their number is bounded and they tell nothing about what is kept.
type metrics struct {
	registry *prometheus.Registry
	requests map[string]*[6]prometheus.Counter // by dialect, then class of the status code
	seconds  map[string]prometheus.Observer    // by dialect
	limited  prometheus.Counter
}

// dialects are the values of the label "dialect".
var dialects = []string{"vault", "native", "aws", "gcp", "azure", "other"}

// signInMethods are the values of the label "method".
var signInMethods = []string{"approle", "userpass", "jwt"}

// latencies are the buckets of what waits for a disk, in seconds.
var latencies = []float64{.00005, .0001, .0005, .001, .005, .01, .05, .1, .5, 1}

func newMetrics(version string) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), requests: map[string]*[6]prometheus.Counter{}, seconds: map[string]prometheus.Observer{}}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "keephold_requests_total", Help: "Requests answered, by dialect and class of the status code."}, []string{"dialect", "code_class"})
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "keephold_request_seconds", Help: "Time from the last byte of a request's header to its answer.",
		Buckets: []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5},
	}, []string{"dialect"})
	m.limited = prometheus.NewCounter(prometheus.CounterOpts{Name: "keephold_sign_in_limited_total", Help: "Sign-ins refused because their address made too many."})
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "keephold_build_info", Help: "Always 1; the label names the version.", ConstLabels: prometheus.Labels{"version": version}})
	build.Set(1)
	m.registry.MustRegister(requests, seconds, m.limited, build)
	for _, d := range dialects {
		var row [6]prometheus.Counter
		for class := 1; class <= 5; class++ {
			row[class] = requests.WithLabelValues(d, strconv.Itoa(class)+"xx")
		}
		m.requests[d] = &row
		m.seconds[d] = seconds.WithLabelValues(d)
	}
	return m
}

// hooks makes what custody tells about its work.
func (m *metrics) hooks() custody.Meters {
	applied := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "keephold_store_apply_seconds", Help: "Time of one durable commit.", Buckets: latencies})
	recorded := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "keephold_audit_append_seconds", Help: "Time until the audit log had a record.", Buckets: latencies})
	refused := prometheus.NewCounter(prometheus.CounterOpts{Name: "keephold_audit_refusals_total", Help: "Refusals recorded."})
	failed := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "keephold_sign_in_failures_total", Help: "Sign-ins refused, by method."}, []string{"method"})
	m.registry.MustRegister(applied, recorded, refused, failed)
	byMethod := map[string]prometheus.Counter{}
	for _, name := range signInMethods {
		byMethod[name] = failed.WithLabelValues(name)
	}
	return custody.Meters{
		Applied:  func(d time.Duration) { applied.Observe(d.Seconds()) },
		Recorded: func(d time.Duration) { recorded.Observe(d.Seconds()) },
		Refused:  refused.Inc,
		SignInFailed: func(method string) {
			if c, ok := byMethod[method]; ok {
				c.Inc()
			}
		},
	}
}

// watch adds what is asked of the keep at each scrape.
func (m *metrics) watch(k *Keep) {
	sealed := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "keephold_sealed", Help: "1 while the keep is sealed."}, func() float64 {
		if k.Desk.Sealed() {
			return 1
		}
		return 0
	})
	damaged := prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "keephold_damaged_records_total", Help: "Records that did not open since the start."}, func() float64 { return float64(k.Desk.Damaged()) })
	size := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "keephold_store_bytes", Help: "Size of the store's file; 0 in memory."}, func() float64 {
		info, err := os.Stat(k.file)
		if err != nil {
			return 0
		}
		return float64(info.Size())
	})
	m.registry.MustRegister(sealed, damaged, size)
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// count runs next and counts it under a dialect.
func (m *metrics) count(dialect string, next http.Handler) http.Handler {
	row, seconds := m.requests[dialect], m.seconds[dialect]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		s := statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(&s, r)
		seconds.Observe(time.Since(start).Seconds())
		if class := s.status / 100; class >= 1 && class <= 5 {
			row[class].Inc()
		}
	})
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Flush sends what there is of an answer, which gRPC's streams ask for without asking the controller.
func (w *statusWriter) Flush() {
	_ = http.NewResponseController(w.ResponseWriter).Flush() // a connection that cannot flush sends at the end
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
