package awssm

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/wire"
)

func TestErrorTableIsComplete(t *testing.T) {
	for _, s := range secret.Sentinels() {
		if e, ok := table[s]; !ok || e.code == "" || e.status < 400 {
			t.Errorf("%q has no row in the table of errors", s)
		}
	}
}

func TestEveryOperationHasAPolicyRow(t *testing.T) {
	for _, o := range operations() {
		for _, p := range o.policy {
			if !p.Known() {
				t.Errorf("%s: policy knows no operation %q", o.name, p)
			}
		}
		if len(o.policy) == 0 {
			t.Errorf("%s names no operation", o.name)
		}
	}
	for _, c := range calls() {
		if !c.policy.Known() {
			t.Errorf("%s: policy knows no operation %q", c.name, c.policy)
		}
	}
	if n := len(operations()); n != 23 {
		t.Errorf("%d operations, the vendor has 23", n)
	}
}

func TestLabelsGoBothWays(t *testing.T) {
	for stage, label := range map[string]string{"AWSCURRENT": "current", "AWSPREVIOUS": "previous", "AWSPENDING": "pending", "mine": "mine", "current": "~current", "~x": "~~x"} {
		if got := secret.LabelOfStage(stage); got != label || secret.StageOfLabel(got) != stage {
			t.Errorf("%s: %s, and back %s", stage, got, secret.StageOfLabel(got))
		}
	}
}

func TestNextTokenBelongsToItsList(t *testing.T) {
	token := writeToken("a/b", "list")
	if after, err := readToken(token, "list"); err != nil || after != "a/b" {
		t.Errorf("got %q, %v", after, err)
	}
	for _, bad := range []string{token + "A", "x", token[1:], "AAAAAAAAAAAA"} {
		if _, err := readToken(bad, "list"); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if _, err := readToken(token, "other"); err == nil {
		t.Error("another list's token was taken")
	}
}

func TestFilters(t *testing.T) {
	h := &secret.Head{About: secret.About{Description: "The Database"}, Custom: []secret.Pair{{Key: "Team", Value: "Web"}}}
	tests := []struct {
		filters []filter
		want    bool
	}{
		{nil, true},
		{[]filter{{"name", []string{"prod"}}}, true},
		{[]filter{{"name", []string{"Prod"}}}, false},
		{[]filter{{"name", []string{"x", "prod/"}}}, true},
		{[]filter{{"name", []string{"!prod"}}}, false},
		{[]filter{{"description", []string{"the data"}}}, true},
		{[]filter{{"tag-key", []string{"Te"}}, {"tag-value", []string{"Web"}}}, true},
		{[]filter{{"tag-key", []string{"te"}}}, false},
		{[]filter{{"name", []string{"prod"}}, {"tag-value", []string{"App"}}}, false},
		{[]filter{{"all", []string{"database"}}}, true},
		{[]filter{{"all", []string{"nothing"}}}, false},
	}
	for _, test := range tests {
		match, err := compileFilters(test.filters, "us-east-1")
		if err != nil || match("prod/db", h) != test.want {
			t.Errorf("%v: %v, want %v", test.filters, err, test.want)
		}
	}
	var e *apiError
	if _, err := compileFilters([]filter{{"color", []string{"x"}}}, ""); !errors.As(err, &e) || e.code != "ValidationException" {
		t.Errorf("unknown key: %v", err)
	}
}

func TestPasswordHoldsEachClass(t *testing.T) {
	classes := []string{lowers, uppers, digits, punctuations}
	for range 200 {
		if p := password(4, classes, true); len(p) != 4 || !holdsEach(p, classes) {
			t.Fatalf("%q", p)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add(`{"SecretId":"a","VersionStages":["x"],"SecretBinary":"AA=="}`, "Action=AssumeRole&Version=2011-06-15", "arn:aws:secretsmanager:r:1:secret:a-abcdef")
	f.Fuzz(func(t *testing.T, body, form, id string) {
		rq := &request{front: &Front{}, http: &http.Request{Method: http.MethodPost, URL: &url.URL{}}, region: "r", account: "1", space: "aws/1/r", body: []byte(form)}
		if members, err := wire.Object([]byte(body), 64); err == nil {
			rq.members = members
			var in struct {
				SecretId      string
				SecretBinary  *[]byte
				VersionStages *[]string
				Tags          []tag
				Filters       []filter
			}
			if rq.into(&in) == nil {
				_ = checkTags(in.Tags, nil)
				_, _ = compileFilters(in.Filters, "r")
			}
		}
		if values, err := rq.form(); err == nil {
			_, _ = durationOf(values, 3600, 900, 43200)
			_, _, _ = roleOf(values.Get("RoleArn"))
		}
		if parts := strings.SplitN(id, ":", 7); len(parts) == 7 && parts[4] == "1" { // another account would ask the registry
			if all, err := rq.locateARN(id); err == nil && len(all) == 0 {
				t.Error("an ARN that names nothing")
			}
		}
		_, _ = readToken(id, body)
	})
}
