package awssm

import (
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/wire"
)

// seconds is a time as the vendor writes it in JSON: seconds since 1970 with three decimals.
type seconds time.Time

// MarshalJSON writes the number.
func (s seconds) MarshalJSON() ([]byte, error) { return s.append(nil), nil }

func (s seconds) append(b []byte) []byte {
	ms := time.Time(s).UnixMilli()
	if ms < 0 {
		return strconv.AppendFloat(b, float64(ms)/1000, 'f', 3, 64)
	}
	b = append(strconv.AppendInt(b, ms/1000, 10), '.')
	return append(b, byte('0'+ms/100%10), byte('0'+ms/10%10), byte('0'+ms%10))
}

// when is t, or nil where there is none, so that the member is left out.
func when(t time.Time) *seconds {
	if t.IsZero() {
		return nil
	}
	s := seconds(t)
	return &s
}

const maxSecret = 65536 // bytes of a value, in this dialect

// checkToken checks a ClientRequestToken that may be missing only where the SDKs fill it in.
func checkToken(token string, missing error) error {
	switch {
	case token == "":
		return missing
	case len(token) < 32 || len(token) > 64:
		return parameter("ClientRequestToken must be 32-64 characters long.")
	}
	return nil
}

var errNoToken = invalidRequest("You must provide a ClientRequestToken value. We recommend a UUID-type value.")

// putOf is the version that a request brings; nil when it brings no value.
func putOf(token string, text *string, binary *[]byte) (*custody.Put, error) {
	p := &custody.Put{AWSID: token, Once: true}
	switch {
	case text != nil && binary != nil:
		return nil, parameter("You can't specify both a binary secret value and a string secret value in the same secret.")
	case text != nil:
		p.Kind, p.Value = secret.Text, secret.NewValue([]byte(*text))
	case binary != nil:
		p.Kind, p.Value = secret.Binary, secret.NewValue(*binary)
	default:
		return nil, nil
	}
	if p.Value.Len() == 0 {
		return nil, parameter("The secret value must not be empty.")
	}
	if p.Value.Len() > maxSecret {
		member := "secretString"
		if binary != nil {
			member = "secretBinary"
		}
		return nil, validation("1 validation error detected: Value at '" + member + "' failed to satisfy constraint: Member must have length less than or equal to 65536")
	}
	return p, nil
}

type valueAnswer struct {
	ARN, Name, VersionId string
	SecretBinary         []byte  `json:",omitempty"`
	SecretString         *string `json:",omitempty"`
	VersionStages        []string
	CreatedDate          seconds
}

// append is what json.Marshal makes of it, without looking at each member's type anew: it is the answer of nearly all requests.
func (a *valueAnswer) append(b []byte) []byte {
	size := len(a.SecretBinary)*4/3 + 400
	if a.SecretString != nil {
		size += len(*a.SecretString) + len(*a.SecretString)/8 // for what is escaped
	}
	b = slices.Grow(b, size)
	b = wire.AppendText(append(b, `{"ARN":`...), a.ARN)
	b = wire.AppendText(append(b, `,"Name":`...), a.Name)
	b = wire.AppendText(append(b, `,"VersionId":`...), a.VersionId)
	if len(a.SecretBinary) > 0 {
		b = append(base64.StdEncoding.AppendEncode(append(b, `,"SecretBinary":"`...), a.SecretBinary), '"')
	}
	if a.SecretString != nil {
		b = wire.AppendText(append(b, `,"SecretString":`...), *a.SecretString)
	}
	b = append(b, `,"VersionStages":[`...)
	for i, stage := range a.VersionStages {
		if i > 0 {
			b = append(b, ',')
		}
		b = wire.AppendText(b, stage)
	}
	return append(a.CreatedDate.append(append(b, `],"CreatedDate":`...)), '}')
}

func (rq *request) valueAnswer(name string, r custody.Reading) valueAnswer {
	a := valueAnswer{
		ARN: rq.arn(name, r.Head), Name: name, VersionId: r.Head.VersionID(secret.AWS, &r.Version), VersionStages: stagesOf(&r.Version), CreatedDate: seconds(r.Version.Created),
	}
	if r.Version.Kind == secret.Binary {
		a.SecretBinary = r.Value.Reveal()
		return a
	}
	text := string(r.Value.Reveal())
	a.SecretString = &text
	return a
}

func getSecretValue(rq *request) (any, error) {
	var in struct{ SecretId, VersionId, VersionStage string }
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	return on(rq, in.SecretId, func(f found) (valueAnswer, error) {
		ref, err := selector(f.ref, in.VersionId, in.VersionStage)
		if err != nil {
			return valueAnswer{}, err
		}
		r, err := rq.front.desk.ReadNoted(rq.ctx, rq.caller, ref)
		if err == nil {
			err = f.check(r.Head)
		}
		if err != nil {
			return valueAnswer{}, missingValue(err, r, in.VersionId, in.VersionStage)
		}
		if in.VersionId != "" && in.VersionStage != "" && !r.Version.HasLabel(secret.LabelOfStage(in.VersionStage)) {
			return valueAnswer{}, invalidRequest("You provided a VersionStage that is not associated to the provided VersionId.")
		}
		return rq.valueAnswer(f.name, r), nil
	})
}

// selector is the version that a request names; the current one when it names none.
func selector(ref secret.Ref, id, stage string) (secret.Ref, error) {
	switch {
	case id != "" && (len(id) < 32 || len(id) > 64):
		return ref, parameter("VersionId must be 32-64 characters long.")
	case len(stage) > 256:
		return ref, validation("1 validation error detected: Value at 'versionStage' failed to satisfy constraint: Member must have length less than or equal to 256")
	case id != "":
		ref.ID = id
	case stage != "":
		ref.Label = secret.LabelOfStage(stage)
	default:
		ref.Label = secret.LabelCurrent
	}
	return ref, nil
}

// missingValue says which version of a secret that is there has no value.
func missingValue(err error, r custody.Reading, id, stage string) error {
	gone := errors.Is(err, secret.ErrNotFound) || errors.Is(err, secret.ErrDeleted) || errors.Is(err, secret.ErrDestroyed) || errors.Is(err, secret.ErrExpired)
	if !gone || r.Head == nil || r.Version.Number != 0 && errors.Is(err, secret.ErrNotFound) {
		return err
	}
	if id != "" {
		return notFound(textNoSecret[:len(textNoSecret)-1] + " value for VersionId: " + clip(id))
	}
	if stage == "" {
		stage = awsCurrent
	}
	return notFound(textNoSecret[:len(textNoSecret)-1] + " value for staging label: " + clip(stage))
}

type batchError struct{ SecretId, ErrorCode, Message string }

// batchGetSecretValue answers up to 20 values; what fails is an item of Errors.
func batchGetSecretValue(rq *request) (any, error) {
	var in struct {
		SecretIdList []string
		Filters      []filter
		MaxResults   *int
		NextToken    string
	}
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	switch {
	case len(in.SecretIdList) > 0 && len(in.Filters) > 0:
		return nil, parameter("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
	case len(in.SecretIdList) == 0 && len(in.Filters) == 0:
		return nil, parameter("Either 'SecretIdList' or 'Filters' must be provided.")
	case len(in.SecretIdList) > 20:
		return nil, validation("1 validation error detected: Value at 'secretIdList' failed to satisfy constraint: Member must have length less than or equal to 20")
	case len(in.SecretIdList) > 0 && (in.MaxResults != nil || in.NextToken != ""):
		return nil, parameter("'MaxResults' and 'NextToken' go with 'Filters' only.")
	}
	out := struct {
		SecretValues []valueAnswer
		Errors       []batchError
		NextToken    string `json:",omitempty"`
	}{SecretValues: []valueAnswer{}, Errors: []batchError{}}
	b := custody.Batch{Space: secret.Ref{Namespace: rq.caller.From().Namespace, Space: rq.space}}
	var bound string
	if len(in.Filters) > 0 {
		q, text, err := rq.stocktaking(listing{filters: in.Filters, limit: in.MaxResults, most: 20, token: in.NextToken})
		if err != nil {
			return nil, err
		}
		b.Page, bound = &q, text
	}
	ids := make([]string, 0, len(in.SecretIdList)) // of what the Desk is asked
	names := map[secret.Path]string{}
	for _, id := range in.SecretIdList {
		all, err := rq.locate(id)
		if err != nil {
			out.Errors = append(out.Errors, rq.batchError(id, err))
			continue
		}
		var w *custody.Wanted
		for _, f := range slices.Backward(all) {
			f.ref.Label = secret.LabelCurrent
			w = &custody.Wanted{Ref: f.ref, Check: f.check, Else: w}
			names[f.ref.Path] = f.name
		}
		ids, b.Wanted = append(ids, id), append(b.Wanted, *w)
	}
	read, next, err := rq.front.desk.ReadBatch(rq.ctx, rq.caller, b)
	if err != nil {
		return nil, err
	}
	out.NextToken = tokenAfter(next, bound)
	for i, r := range read {
		name, ok := names[r.Ref.Path]
		if !ok {
			name, _ = secret.NameOn(secret.AWS, r.Ref.Path) // of a page
		}
		if r.Err == nil {
			out.SecretValues = append(out.SecretValues, rq.valueAnswer(name, r.Reading))
			continue
		}
		id := name
		if b.Page == nil {
			id = ids[i]
		}
		out.Errors = append(out.Errors, rq.batchError(id, missingValue(r.Err, r.Reading, "", "")))
	}
	return out, nil
}

func (rq *request) batchError(id string, err error) batchError {
	e := rq.shape(err)
	return batchError{id, e.code, strings.ReplaceAll(e.text, "BatchGetSecretValue", "GetSecretValue")}
}
