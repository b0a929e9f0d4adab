package secret

import (
	"slices"
	"time"
)

// Kind says what a version's bytes are.
type Kind uint8

const (
	Text   Kind = iota
	Binary      // arbitrary bytes
	Map         // a JSON object in canonical form, as kv writes it
)

// State of one version.
type State uint8

const (
	Enabled   State = iota
	Disabled        // present, may not be read until enabled
	Deleted         // can be undeleted
	Destroyed       // the bytes are gone for good
)

func (s State) String() string {
	switch s {
	case Enabled:
		return "enabled"
	case Disabled:
		return "disabled"
	case Deleted:
		return "deleted"
	}
	return "destroyed"
}

// Stage labels with a meaning of their own; all others are free.
const (
	LabelCurrent  = "current"
	LabelPrevious = "previous"
	LabelPending  = "pending"
)

// Version is what is known of one version besides its bytes. Numbers start at 1 and are never used again.
type Version struct {
	Number      uint64
	State       State
	Kind        Kind
	ContentType string
	Created     time.Time
	Deleted     time.Time // when State became Deleted, or will (Settings.DeleteAfter); zero: never
	Destroyed   time.Time // when State became Destroyed, or will; zero: never, or before this was kept
	Changed     time.Time // when State was last changed; zero: not since Created
	NotBefore   time.Time
	Expires     time.Time
	Writer      string   // identity that wrote it
	AWSID       string   // ClientRequestToken; fixed at creation
	AzureID     string   // 32 hexadecimal digits; fixed at creation
	Labels      []string // stage labels it holds, sorted
	Facts       []Pair   // see Head.Facts
}

// StateAt is the state that holds at now: a version whose deletion time has passed is deleted, and one that was to be
// destroyed by now is, though its bytes go a moment later.
func (v *Version) StateAt(now time.Time) State {
	if !v.Destroyed.IsZero() && !now.Before(v.Destroyed) {
		return Destroyed
	}
	if v.State == Enabled && !v.Deleted.IsZero() && !now.Before(v.Deleted) {
		return Deleted
	}
	return v.State
}

// HasLabel says whether v holds the stage label.
func (v *Version) HasLabel(label string) bool { return slices.Contains(v.Labels, label) }

// Head is the mutable record of one secret: what all its versions share, and what is known of each.
type Head struct {
	UID       UID
	Name      string // as the client spelled it, where that differs from the Path
	Created   time.Time
	Updated   time.Time
	DataKey   []byte // wrapped; opens every version
	Max       uint64 // highest number ever given
	Current   uint64 // version that holds LabelCurrent; 0: none
	Versions  []Version
	Custom    []Pair // custom metadata, tags or labels, sorted by key
	About     About
	Settings  Settings
	Tombstone *Tombstone
	Revision  uint64 // grows when Revise changes what is known of the secret besides its versions
	Facts     []Pair // what a dialect keeps that the house has no word for, sorted; keys begin with the dialect's name
}

// Fact is the value of a fact, "" where there is none.
func Fact(facts []Pair, key string) string {
	for _, f := range facts {
		if f.Key == key {
			return f.Value
		}
	}
	return ""
}

// FactARNSuffix keeps the end of an ARN that was given elsewhere, so that code which holds the old ARN reads on.
const FactARNSuffix = "aws.suffix"

// FactAzureTag begins the facts of a version that are its tags in Azure, where each version has its own.
const FactAzureTag = "azure/tag/"

// SetFact answers the facts with one of them set, or with "" taken away.
func SetFact(facts []Pair, key, value string) []Pair {
	out := make([]Pair, 0, len(facts)+1)
	for _, p := range facts {
		if p.Key != key {
			out = append(out, p)
		}
	}
	if value != "" {
		out = append(out, Pair{Key: key, Value: value})
	}
	return out
}

// About is what people say of a secret.
type About struct{ Description, Owner string }

// Pair is one entry of an ordered map.
type Pair struct{ Key, Value string }

// Settings of one secret; zero fields fall back to the Space's.
type Settings struct {
	MaxVersions uint64
	CASRequired bool
	DeleteAfter time.Duration
	ExpiresAt   time.Time // no version is readable from then on

	DestroyDelay time.Duration // a version that is destroyed is disabled at first, for so long
}

// Tombstone marks a removed secret that may still be recovered.
type Tombstone struct {
	By      string
	At      time.Time
	PurgeAt time.Time
}

// Find returns the version with that number, or nil.
func (h *Head) Find(number uint64) *Version {
	i, ok := slices.BinarySearchFunc(h.Versions, number, func(v Version, n uint64) int {
		switch {
		case v.Number < n:
			return -1
		case v.Number > n:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return &h.Versions[i]
}

// Labelled returns the version that holds the label, or nil.
func (h *Head) Labelled(label string) *Version {
	for i := range h.Versions {
		if h.Versions[i].HasLabel(label) {
			return &h.Versions[i]
		}
	}
	return nil
}

// Latest returns the version that the secret's bare name stands for to a reader of dialect face in a Space of dialect home,
// or nil. Google and Azure on their own face take the highest number, whatever its state; everyone else gets the current
// one. What is still pending is nobody's latest: only dialects with stage labels know that it is there.
func (h *Head) Latest(home, face Dialect) *Version {
	if home != face || home != GCP && home != Azure {
		return h.Find(h.Current)
	}
	for i := len(h.Versions) - 1; i >= 0; i-- {
		v := &h.Versions[i]
		if v.Number == h.Current || !v.HasLabel(LabelPending) {
			return v
		}
	}
	return nil
}

// Unlabel takes the label from whoever holds it. LabelCurrent cannot be taken away, only moved.
func (h *Head) Unlabel(label string) {
	if v := h.Labelled(label); v != nil && label != LabelCurrent {
		v.Labels = without(v.Labels, label)
	}
}

// Move gives the label to version to and takes it from whoever held it. Moving LabelCurrent leaves LabelPrevious
// on the old holder, and Current follows.
func (h *Head) Move(label string, to *Version) {
	old := h.Labelled(label)
	if old == to {
		return
	}
	if old != nil {
		old.Labels = without(old.Labels, label)
	}
	to.Labels = with(to.Labels, label)
	if label != LabelCurrent {
		return
	}
	h.Current = to.Number
	to.Labels = without(to.Labels, LabelPrevious)
	if old != nil {
		h.Move(LabelPrevious, old)
	}
}

// Clone returns a deep copy, so that a cached Head is never changed in place.
func (h *Head) Clone() *Head {
	c := *h
	c.DataKey = slices.Clone(h.DataKey)
	c.Custom = slices.Clone(h.Custom)
	c.Facts = slices.Clone(h.Facts)
	c.Versions = slices.Clone(h.Versions)
	for i := range c.Versions {
		c.Versions[i].Labels = slices.Clone(c.Versions[i].Labels)
	}
	if h.Tombstone != nil {
		t := *h.Tombstone
		c.Tombstone = &t
	}
	return &c
}

func with(labels []string, label string) []string {
	i, ok := slices.BinarySearch(labels, label)
	if ok {
		return labels
	}
	return slices.Insert(slices.Clone(labels), i, label)
}

func without(labels []string, label string) []string {
	i, ok := slices.BinarySearch(labels, label)
	if !ok {
		return labels
	}
	return slices.Delete(slices.Clone(labels), i, i+1)
}
