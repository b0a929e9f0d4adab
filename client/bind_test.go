package client_test

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/client"
)

// level reads itself.
type level int

func (l *level) UnmarshalText(b []byte) error {
	switch string(b) {
	case "low":
		*l = 1
	case "high":
		*l = 2
	default:
		return errors.New("no level " + string(b))
	}
	return nil
}

func TestBind(t *testing.T) {
	k := newKeep(t)
	err := k.fill("shop/dev", map[string]string{
		"TEXT": " as it is ", "EMPTY": "", "YES": "Yes", "INT": "-42", "BIG": "300", "UINT": "7", "FLOAT": "2.5", "DUR": "1h30m", "SECONDS": "90",
		"URL": "https://shop.example/x?y=1", "IP": "192.0.2.7", "LIST": "a, b,c", "JSONLIST": `["a","b,c",3]`, "INTS": "1,2,3", "MAP": `{"a":1}`, "LEVEL": "high",
		"BYTES": "\u00e9", "DB_HOST": "db.internal", "DB_REPLICA_HOST": "replica.internal", "STAMP": "2027-01-31T12:00:00Z", "MAIL": "no address", "PORT": "70000",
	})
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, k).Space("shop/dev")
	type database struct {
		Host    string `keephold:"HOST,required"`
		Port    uint16 `keephold:"PORT" default:"5432"`
		Replica struct {
			Host string `keephold:"HOST"`
		} `keephold:",prefix=REPLICA_"`
	}
	var got struct {
		Text     string         `keephold:"TEXT"`
		Empty    string         `keephold:"EMPTY" default:"unused: it is set"`
		None     string         `keephold:"NONE" default:"a default"`
		Yes      bool           `keephold:"YES"`
		Int      int8           `keephold:"INT"`
		Uint     *uint          `keephold:"UINT"`
		Missing  *uint          `keephold:"MISSING"`
		Float    float32        `keephold:"FLOAT"`
		Dur      time.Duration  `keephold:"DUR"`
		Plain    time.Duration  `keephold:"SECONDS"`
		URL      *url.URL       `keephold:"URL" type:"url"`
		IP       netip.Addr     `keephold:"IP"`
		List     []string       `keephold:"LIST"`
		JSONList []string       `keephold:"JSONLIST"`
		Ints     []int          `keephold:"INTS"`
		Map      map[string]int `keephold:"MAP"`
		Level    level          `keephold:"LEVEL"`
		Bytes    []byte         `keephold:"BYTES"`
		DB       database       `keephold:",prefix=DB_"`
		Own      string
	}
	got.Own = "left alone"
	if err := s.Bind(context.Background(), &got); err != nil {
		t.Fatal(err)
	}
	seven := uint(7)
	where, _ := url.Parse("https://shop.example/x?y=1")
	want := got // what is not named below is compared with itself, so every field is
	want.Text, want.Empty, want.None, want.Yes, want.Int, want.Uint, want.Missing = " as it is ", "", "a default", true, -42, &seven, nil
	want.Float, want.Dur, want.Plain, want.URL, want.IP = 2.5, 90*time.Minute, 90*time.Second, where, netip.MustParseAddr("192.0.2.7")
	want.List, want.JSONList, want.Ints = []string{"a", "b", "c"}, []string{"a", "b,c", "3"}, []int{1, 2, 3}
	want.Map, want.Level, want.Bytes, want.Own = map[string]int{"a": 1}, 2, []byte("é"), "left alone"
	want.DB.Host, want.DB.Port, want.DB.Replica.Host = "db.internal", 5432, "replica.internal"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}

	t.Run("all problems at once, no value, nothing changed", func(t *testing.T) {
		bad := struct {
			Kept  string `keephold:"TEXT"`
			None  string `keephold:"NONE,required"`
			Empty string `keephold:"EMPTY,required"`
			Mail  string `keephold:"MAIL" type:"email"`
			Port  int    `keephold:"PORT" type:"port"`
			Small int8   `keephold:"BIG"`
			Level level  `keephold:"URL"`
			Pick  string `keephold:"LIST" choices:"x,y"`
			Shape string `keephold:"YES" pattern:"[a-z]+"`
		}{Kept: "before"}
		err := s.Bind(context.Background(), &bad)
		var list *client.BindError
		if !errors.As(err, &list) || !errors.Is(err, client.ErrInvalid) || len(list.Problems) != 8 {
			t.Fatalf("got %v", err)
		}
		for _, leak := range []string{"no address", "70000", "300", "shop.example", "a, b"} {
			if strings.Contains(err.Error(), leak) {
				t.Errorf("the error shows a value: %v", err)
			}
		}
		if bad.Kept != "before" {
			t.Errorf("the struct was changed: %+v", bad)
		}
	})
}

// What is wrong with a struct itself is the program's mistake, and said as such.
func TestBindRefusesStructs(t *testing.T) {
	k := newKeep(t)
	if err := k.fill("shop/dev", map[string]string{"A": "1"}); err != nil {
		t.Fatal(err)
	}
	v, err := open(t, k).Space("shop/dev").Values(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for name, dst := range map[string]any{
		"no pointer": struct{}{},
		"nil":        (*struct{})(nil),
		"not exported": &struct {
			a string `keephold:"A"`
		}{},
		"unknown word": &struct {
			A string `keephold:"A,omitempty"`
		}{},
		"unknown type": &struct {
			A string `keephold:"A" type:"colour"`
		}{},
		"twice": &struct {
			A string `keephold:"A"`
			B string `keephold:"A"`
		}{},
		"no name": &struct {
			A string `keephold:",required"`
		}{},
		"bad default": &struct {
			A int `keephold:"A" type:"int" default:"x"`
		}{},
	} {
		var problems *client.BindError
		if err := v.Bind(dst); !errors.Is(err, client.ErrInvalid) || errors.As(err, &problems) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzBind(f *testing.F) {
	for _, seed := range []string{"", "1", "-1", "1e400", "NaN", "[1", `["a",{}]`, "999999h", "2027-01-01", "http://[", "true"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var cfg struct {
			A int                       `keephold:"A"`
			B time.Duration             `keephold:"B"`
			C []uint8                   `keephold:"C"`
			D []time.Duration           `keephold:"D"`
			E url.URL                   `keephold:"E"`
			F map[string]map[string]int `keephold:"F"`
			G [2]bool                   `keephold:"G"`
			H float32                   `keephold:"H"`
		}
		values := map[string]string{}
		for _, name := range []string{"A", "B", "C", "D", "E", "F", "G", "H"} {
			values[name] = text
		}
		if err := client.ValuesOf(values).Bind(&cfg); err != nil && len(text) > 12 && strings.Contains(err.Error(), text) {
			t.Errorf("the error shows the value: %v", err)
		}
	})
}
