package awssm

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestValueIsWrittenAsEncodingJSONWritesIt(t *testing.T) {
	text := func(s string) *string { return &s }
	at := seconds(time.UnixMilli(1_764_000_000_007))
	for name, a := range map[string]valueAnswer{
		"text":           {ARN: "arn:aws:secretsmanager:r:1:secret:a-bcdefg", Name: "a", VersionId: "v", SecretString: text(`{"user":"a\\b","html":"<&>"}` + "\u2028\n\xff"), VersionStages: []string{"AWSCURRENT", `"`}, CreatedDate: at},
		"empty text":     {SecretString: text(""), VersionStages: []string{}, CreatedDate: at},
		"binary":         {SecretBinary: []byte(strings.Repeat("\x00\xff", 100)), VersionStages: []string{"AWSPENDING"}, CreatedDate: at},
		"before 1970":    {VersionStages: []string{}, CreatedDate: seconds(time.UnixMilli(-1))},
		"a whole second": {VersionStages: []string{}, CreatedDate: seconds(time.Unix(5, 0))},
	} {
		want, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.append(nil); string(got) != string(want) {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, want)
		}
	}
}
