package secret

import "time"

// NamespaceID and SpaceID never change; the names of what they stand for are settings. The root namespace is "".
type (
	NamespaceID string
	SpaceID     string
	// UID names one secret for its whole life; a path made again after its secret was removed gets a new one.
	UID string
)

// Space is a named container of secrets with its settings. A Vault mount, an AWS account and region, a Google
// project, an Azure vault and a project's environment are Spaces.
type Space struct {
	ID        SpaceID
	Namespace NamespaceID
	Name      string // the one canonical name policies and audit see: "secret", "shop/prod", "aws/ACCOUNT/REGION"
	Home      Dialect
	Versioned bool // false: kv version 1, one version, resources are SPACE/PATH
	Accessor  string
	Created   time.Time
	Settings  SpaceSettings
}

// SpaceSettings may change at any time.
type SpaceSettings struct {
	Description    string
	MaxVersions    uint64        // versions kept; 0 means DefaultMaxVersions
	CASRequired    bool          // a write must name the version it replaces
	DeleteAfter    time.Duration // a version is deleted this long after its creation; 0 never
	DeletionWindow time.Duration // how long a removed secret can be recovered, where the dialect has such a window
	Protected      bool          // only a grant naming this Space reaches it
	PurgeProtected bool          // what lies in the trash stays there until its window has passed
	FolderRead     bool          // GET of a folder answers its text children
	DefaultTTL     time.Duration // Vault's tuning, kept for its clients; 0 is the system's
	MaxTTL         time.Duration
	Listed         bool              // Vault's listing_visibility "unauth": everybody may know that it exists
	Options        map[string]string // Vault's mount options as given
}

// DefaultMaxVersions is the vendor's default of kv version 2.
const DefaultMaxVersions = 10

// MostVersions is how many versions of a secret are kept at most: all of them stand in its one head.
const MostVersions = 1000

// Ref names one version of one secret: by number, by stage label, or by the id that another dialect gave it. The zero
// selector is the latest.
type Ref struct {
	Namespace NamespaceID
	Space     string // the Space's canonical name
	Path      Path
	Number    uint64 // 0: not by number
	Label     string // "": not by label
	ID        string // as Head.ByID finds it; "": not by id
}

// Latest is r without a selector.
func (r Ref) Latest() Ref { r.Number, r.Label, r.ID = 0, "", ""; return r }

func (r Ref) String() string { return r.Space + "/" + r.Path.s }
