package custody

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// CopyJob is a copy of a secret, or of all below a folder, that is not done yet. It moves on only while somebody who
// may do each of its steps asks: policy is asked for every secret, at the time it is copied, so that a job is never more
// than its owner. Its cursor is stored behind each page, and a secret that is there already is left alone, so that a page
// that was cut short is simply done again.
type CopyJob struct {
	ID      string    `json:"id"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Copied  int       `json:"copied"`
	Skipped int       `json:"skipped"` // there was a secret of that name, or nothing to read
	Refused int       `json:"refused"` // the caller may not read the one or make the other
	Done    bool      `json:"done"`
	Started time.Time `json:"started"`
}

// copyRecord is what is stored of a CopyJob.
type copyRecord struct {
	CopyJob
	Owner              string
	Namespace          secret.NamespaceID
	FromSpace, ToSpace string
	FromPath, ToPath   string
	After              string
}

const (
	copyPrefix = "job/copy/"
	copyAtOnce = 100
	maxCopies  = 1000 // jobs that may stand open
)

// Copy begins a copy and does its first page. One secret is copied whole at once and leaves no job. What is copied is the
// current version, with its custom metadata.
func (d *Desk) Copy(ctx context.Context, c auth.Caller, from, to secret.Ref) (CopyJob, error) {
	if err := c.Refusal(); err != nil {
		_, _, err := d.enter(ctx, c, from, verbRead) // recorded as any refusal
		return CopyJob{}, err
	}
	o := d.open.Load()
	if o == nil {
		return CopyJob{}, secret.ErrSealed
	}
	j := copyRecord{
		CopyJob: CopyJob{ID: newEventID(d.now()), From: from.String(), To: to.String(), Started: d.now().UTC()},
		Owner:   c.Identity().ID, Namespace: from.Namespace,
		FromSpace: from.Space, FromPath: from.Path.String(), ToSpace: to.Space, ToPath: to.Path.String(),
	}
	if from.Namespace != to.Namespace {
		return CopyJob{}, fmt.Errorf("%w: both ends must be in one namespace", secret.ErrInvalid)
	}
	if sp, err := d.space(o, from); err == nil && !from.Path.IsRoot() {
		e, err := d.find(ctx, o, sp, from.Path)
		if err != nil {
			return CopyJob{}, err
		}
		if e != nil {
			err := d.copyOne(ctx, c, o, from, to)
			j.Copied, j.Done = 1, true
			return j.CopyJob, err
		}
	}
	if from.Space == to.Space && from.Path.Has(to.Path) {
		return CopyJob{}, fmt.Errorf("%w: a folder cannot be copied into itself", secret.ErrInvalid)
	}
	t, _, err := d.enter(ctx, c, from, verbList)
	if err != nil {
		return CopyJob{}, err
	}
	open, err := o.view.List(ctx, record.Query{Prefix: copyPrefix, Limit: maxCopies})
	if err == nil && len(open) >= maxCopies {
		err = fmt.Errorf("%w: %d copies stand open; finish some", secret.ErrLimited, len(open))
	}
	if err != nil {
		return CopyJob{}, t.done(err)
	}
	zero := record.Rev(0)
	if err := t.change(ctx, []record.Change{{Key: copyPrefix + j.ID, Value: record.Encode(j), Expect: &zero}}); err != nil {
		return CopyJob{}, t.done(err)
	}
	return d.CopyOn(ctx, t.o.warrant.Spent(c), j.ID)
}

// CopyOn does one page of a job that the caller began.
func (d *Desk) CopyOn(ctx context.Context, c auth.Caller, id string) (CopyJob, error) {
	o := d.open.Load()
	if o == nil {
		return CopyJob{}, secret.ErrSealed
	}
	if err := c.Refusal(); err != nil {
		return CopyJob{}, err
	}
	r, err := record.Get1(ctx, o.view, copyPrefix+id)
	if err != nil {
		return CopyJob{}, err
	}
	var j copyRecord
	if r.Found() {
		if err := json.Unmarshal(r.Value, &j); err != nil {
			return CopyJob{}, d.damage(r.Key, err)
		}
	}
	if !r.Found() || j.Owner != c.Identity().ID || j.Namespace != c.From().Namespace {
		return CopyJob{}, fmt.Errorf("no copy %q of yours stands open: %w", id, secret.ErrNotFound)
	}
	if err := d.copyPage(ctx, c, o, &j); err != nil {
		return CopyJob{}, err
	}
	change := r.Put(record.Encode(j))
	if j.Done {
		change = r.Remove()
	}
	err = d.apply(ctx, o, []record.Change{change})
	if isConflict(err) {
		return CopyJob{}, fmt.Errorf("copy %s: %w", id, secret.ErrBusy) // somebody else did a page meanwhile
	}
	return j.CopyJob, err
}

func (d *Desk) copyPage(ctx context.Context, c auth.Caller, o *opened, j *copyRecord) error {
	from, err := refOf(j.Namespace, j.FromSpace, j.FromPath)
	if err != nil {
		return err
	}
	to, err := refOf(j.Namespace, j.ToSpace, j.ToPath)
	if err != nil {
		return err
	}
	sp, err := d.space(o, from)
	if err != nil {
		return err
	}
	names, err := d.names(ctx, sp, Folder{Path: from.Path, After: j.After, Limit: copyAtOnce, Deep: true})
	if err != nil {
		return err
	}
	for _, name := range names {
		leaf, err := secret.ParsePath(name)
		if err != nil {
			return err
		}
		source, target := from, to
		if source.Path, err = from.Path.Join(leaf); err != nil {
			return err
		}
		if target.Path, err = to.Path.Join(leaf); err != nil {
			return err
		}
		err = d.copyOne(ctx, c, o, source, target)
		c = o.warrant.Spent(c) // the page is one request
		switch {
		case err == nil:
			j.Copied++
		case errors.Is(err, secret.ErrDenied):
			j.Refused++
		case errors.Is(err, secret.ErrExists), unreadable(err):
			j.Skipped++
		default:
			return err
		}
		j.After = name
	}
	j.Done = len(names) < copyAtOnce
	return nil
}

func unreadable(err error) bool {
	for _, s := range []error{secret.ErrNotFound, secret.ErrDeleted, secret.ErrDestroyed, secret.ErrDisabled, secret.ErrExpired} {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

// copyOne reads one secret and makes another of it, as the caller, in one commit. There must be none of that name.
func (d *Desk) copyOne(ctx context.Context, c auth.Caller, o *opened, from, to secret.Ref) error {
	r, err := d.Read(ctx, c, from)
	if err != nil {
		return err
	}
	none := uint64(0)
	_, err = d.Write(ctx, o.warrant.Spent(c), to, Put{
		Value: r.Value, Kind: r.Version.Kind, ContentType: r.Version.ContentType, NotBefore: r.Version.NotBefore, Expires: r.Version.Expires,
		Custom: r.Head.Custom, CAS: &none,
	})
	if errors.Is(err, secret.ErrConflict) {
		return fmt.Errorf("%s: %w", to, secret.ErrExists)
	}
	return err
}

func refOf(ns secret.NamespaceID, space, path string) (secret.Ref, error) {
	ref := secret.Ref{Namespace: ns, Space: space}
	if path == "" {
		return ref, nil
	}
	var err error
	ref.Path, err = secret.ParsePath(path)
	return ref, err
}
