package custody

import (
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// verb is one thing that can be done to a secret. Each stands for one resource form of the Vault API, so that a policy
// means the same whichever dialect asked.
type verb struct {
	action string
	folder string // what stands between Space and path on a versioned Space
	cap    policy.Capability
}

var (
	verbRead     = verb{"read", "data", policy.Read}
	verbCreate   = verb{"create", "data", policy.Create}
	verbUpdate   = verb{"update", "data", policy.Update}
	verbPatch    = verb{"patch", "data", policy.Patch}
	verbDelete   = verb{"delete", "data", policy.Delete}
	verbTrash    = verb{"delete-versions", "delete", policy.Update}
	verbUndelete = verb{"undelete", "undelete", policy.Update}
	verbDisable  = verb{"disable", "delete", policy.Update}
	verbEnable   = verb{"enable", "undelete", policy.Update}
	verbDestroy  = verb{"destroy", "destroy", policy.Update}
	verbCompare  = verb{"compare", "data", policy.Read}
	verbSubkeys  = verb{"subkeys", "subkeys", policy.Read}
	verbDescribe = verb{"describe", "metadata", policy.Read}
	verbConfMake = verb{"configure-new", "metadata", policy.Create}
	verbConf     = verb{"configure", "metadata", policy.Update}
	verbConfEdit = verb{"configure-patch", "metadata", policy.Patch}
	verbRemove   = verb{"remove", "metadata", policy.Delete}
	verbList     = verb{"list", "metadata", policy.List}
	verbScan     = verb{"scan", "metadata", policy.Scan}
	verbLabel    = verb{"label", "metadata", policy.Update}
	verbBury     = verb{"trash", "data", policy.Delete}
	verbRecover  = verb{"recover", "undelete", policy.Update}
	verbPurge    = verb{"purge", "metadata", policy.Delete}
	verbMoveFrom = verb{"move-from", "metadata", policy.Delete}
	verbMoveTo   = verb{"move-to", "metadata", policy.Update}
)

// on is the need of a verb on a path. Listing a folder names it with a '/' at its end, as the vendor's clients do.
func (v verb) on(sp *secret.Space, path secret.Path) record.Need {
	end := ""
	if (v.cap == policy.List || v.cap == policy.Scan) && !path.IsRoot() {
		end = "/"
	}
	var name string
	if sp.Versioned {
		name = sp.Name + "/" + v.folder + "/" + path.String() + end
	} else {
		name = sp.Name + "/" + path.String() + end
	}
	return record.Need{Action: v.action, Resource: name, Capability: v.cap}
}

// admitTo is admit for a verb on a secret. A Space that does not exist is refused like one the caller may not see.
func (d *Desk) missing(ref secret.Ref, v verb) record.Need {
	return v.on(&secret.Space{Name: ref.Space, Versioned: true}, ref.Path)
}
