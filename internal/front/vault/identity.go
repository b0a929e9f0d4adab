package vault

import (
	"errors"
	"slices"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/entity"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// identityRoutes is everything below identity/, https://openbao.org/api-docs/secret/identity/
func identityRoutes() []route {
	return append(groupRoutes(), []route{
		{write, "entity", "vault.identity.update", writeEntity},
		{write, "entity/id/{id}", "vault.identity.update", writeEntity},
		{write, "entity/name/{name}", "vault.identity.update", writeEntity},
		{read, "entity/id/{id}", "vault.identity.read", readEntity},
		{read, "entity/name/{name}", "vault.identity.read", readEntity},
		{remove, "entity/id/{id}", "vault.identity.delete", dropEntity},
		{remove, "entity/name/{name}", "vault.identity.delete", dropEntity},
		{list, "entity/id", "vault.identity.list", listEntities},
		{list, "entity/name", "vault.identity.list", listEntities},
		{write, "entity/batch-delete", "vault.identity.update", dropEntities},
		{write, "entity/merge", "vault.identity.merge", mergeEntities},
		{write, "entity-alias", "vault.identity.update", writeAlias},
		{write, "entity-alias/id/{id}", "vault.identity.update", writeAlias},
		{read, "entity-alias/id/{id}", "vault.identity.read", readAlias},
		{remove, "entity-alias/id/{id}", "vault.identity.delete", dropAlias},
		{list, "entity-alias/id", "vault.identity.list", listAliases},
		{write, "lookup/entity", "vault.identity.lookup", lookupEntity},
	}...)
}

// named is who the request is about: by the path, else by the body.
func (rq *request) named() entity.Name {
	switch {
	case rq.args["id"] != "":
		return entity.ByID(rq.args["id"])
	case rq.args["name"] != "":
		return entity.ByName(rq.args["name"])
	case rq.fields.text("id") != "":
		return entity.ByID(rq.fields.text("id"))
	case rq.fields.text("name") != "":
		return entity.ByName(rq.fields.text("name"))
	}
	return entity.Name{}
}

// whom reads what entities and groups have in common.
type whom struct {
	name     string
	policies []string
	metadata map[string]string
}

func (rq *request) whom() (w whom, err error) {
	w.name = rq.fields.text("name")
	if w.policies, err = rq.fields.list("policies"); err != nil {
		return w, rq.refused(err)
	}
	if w.metadata, err = rq.fields.pairs("metadata"); err != nil {
		return w, rq.refused(err)
	}
	return w, nil
}

func (w whom) to(f fields, name *string, policies *[]string, meta *[]secret.Pair) {
	if w.name != "" {
		*name = w.name
	}
	if f.has("policies") {
		*policies = w.policies
	}
	if f.has("metadata") {
		*meta = auth.Pairs(w.metadata)
	}
}

// writeEntity answers what it made; a change has nothing to say.
func writeEntity(rq *request) (answer, error) {
	w, err := rq.whom()
	if err != nil {
		return answer{}, err
	}
	disabled, err := rq.fields.flag("disabled")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	made := false
	e, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, entity.Write{Name: rq.named(), Change: func(e *auth.Entity) error {
		made = e.Updated.IsZero()
		w.to(rq.fields, &e.Name, &e.Policies, &e.Meta)
		if rq.fields.has("disabled") {
			e.Disabled = disabled
		}
		return nil
	}})
	if err != nil {
		return answer{}, err
	}
	if !made {
		return done()
	}
	return say(map[string]any{"id": e.ID, "name": e.Name, "aliases": nil})
}

func (rq *request) entityInfo(e *entity.Known) map[string]any {
	aliases := make([]map[string]any, 0, len(e.Aliases))
	for i := range e.Aliases {
		aliases = append(aliases, rq.aliasInfo(entity.AliasOf{Alias: e.Aliases[i], Entity: e.ID}))
	}
	return map[string]any{
		"id": e.ID, "name": e.Name, "disabled": e.Disabled, "metadata": meta(e.Meta), "policies": list0(e.Policies), "aliases": aliases,
		"creation_time": string(appendTime(nil, e.Created)), "last_update_time": string(appendTime(nil, e.Updated)),
		"direct_group_ids": list0(e.Groups), "inherited_group_ids": list0(e.Inherited), "group_ids": list0(slices.Concat(e.Groups, e.Inherited)), "merged_entity_ids": e.Merged,
		"namespace_id": namespaceID(rq.ns),
	}
}

func namespaceID(ns secret.NamespaceID) string {
	if ns == "" {
		return "root"
	}
	return string(ns)
}

// meta is null when there is none, as the vendor has it.
func meta(ps []secret.Pair) map[string]string {
	if len(ps) == 0 {
		return nil
	}
	return pairs(ps)
}

func list0(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func readEntity(rq *request) (answer, error) {
	e, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, entity.Read{Name: rq.named()})
	if err != nil {
		return answer{}, err
	}
	return say(rq.entityInfo(&e))
}

func dropEntity(rq *request) (answer, error) {
	_, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, entity.Delete{Name: rq.named()})
	return emptyIfMissing(err)
}

const maxBatch = 1000

func dropEntities(rq *request) (answer, error) {
	ids, err := rq.fields.list("entity_ids")
	if err != nil || len(ids) == 0 || len(ids) > maxBatch {
		return answer{}, rq.refused(bad("entity_ids must hold 1 to %d ids", maxBatch))
	}
	for _, id := range ids {
		if _, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, entity.Delete{Name: entity.ByID(id)}); err != nil && !errors.Is(err, secret.ErrNotFound) {
			return answer{}, err
		}
	}
	return done()
}

// mergeEntities makes one entity of several. Its force speaks of second factors, which no entity has here.
func mergeEntities(rq *request) (answer, error) {
	from, err := rq.fields.list("from_entity_ids")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	keep, err := rq.fields.list("conflicting_alias_ids_to_keep")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	if _, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, entity.Merge{From: from, To: rq.fields.text("to_entity_id"), Keep: keep}); err != nil {
		return answer{}, err
	}
	return done()
}

// page reads ?after and ?limit.
func (rq *request) page() (after string, limit int, err error) {
	if rq.http.URL.RawQuery == "" {
		return "", 0, nil
	}
	q := rq.http.URL.Query()
	limit, err = pageLimit(q.Get("limit"))
	return q.Get("after"), limit, err
}

func listEntities(rq *request) (answer, error) {
	after, limit, err := rq.page()
	if err != nil {
		return answer{}, rq.refused(err)
	}
	names, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, entity.List{ByName: rq.path == "identity/entity/name", After: after, Limit: limit})
	if err != nil {
		return answer{}, err
	}
	return keys(names)
}

func writeAlias(rq *request) (answer, error) {
	f := rq.fields
	custom, err := f.pairs("custom_metadata")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	act := entity.WriteAlias{ID: rq.args["id"], Entity: f.text("canonical_id"), Mount: f.text("mount_accessor"), Name: f.text("name"), Custom: auth.Pairs(custom)}
	if act.ID == "" {
		act.ID = f.text("id")
	}
	if act.ID == "" {
		m, ok := rq.mountByAccessor(act.Mount)
		if !ok {
			return answer{}, rq.refused(bad("invalid mount accessor %q", act.Mount))
		}
		act.Method = m
	}
	a, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, act)
	if err != nil {
		return answer{}, err
	}
	if rq.args["id"] != "" {
		return done()
	}
	return say(map[string]string{"id": a.ID, "canonical_id": act.Entity})
}

// mountByAccessor answers the type of the sign-in mount, in the request's own namespace only.
func (rq *request) mountByAccessor(accessor string) (string, bool) {
	table := rq.front.desk.Table()
	if table == nil {
		return "", false
	}
	for _, m := range table.Mounts(rq.ns) {
		if m.Accessor == accessor {
			return m.Type, true
		}
	}
	return "", false
}

func (rq *request) aliasInfo(a entity.AliasOf) map[string]any {
	path := ""
	if table := rq.front.desk.Table(); table != nil {
		for _, m := range table.Mounts(rq.ns) {
			if m.Accessor == a.Mount {
				path = "auth/" + m.Name + "/"
			}
		}
	}
	return map[string]any{
		"id": a.ID, "canonical_id": a.Entity, "name": a.Name, "mount_accessor": a.Mount, "mount_type": a.Method, "mount_path": path, "local": false,
		"metadata": meta(a.Meta), "custom_metadata": meta(a.Custom), "merged_from_canonical_ids": a.MergedFrom,
		"creation_time": string(appendTime(nil, a.Created)), "last_update_time": string(appendTime(nil, a.Updated)), "namespace_id": namespaceID(rq.ns),
	}
}

func readAlias(rq *request) (answer, error) {
	a, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, entity.ReadAlias{ID: rq.args["id"]})
	if err != nil {
		return answer{}, err
	}
	return say(rq.aliasInfo(a))
}

func dropAlias(rq *request) (answer, error) {
	_, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, entity.DeleteAlias{ID: rq.args["id"]})
	return emptyIfMissing(err)
}

func listAliases(rq *request) (answer, error) {
	after, limit, err := rq.page()
	if err != nil {
		return answer{}, rq.refused(err)
	}
	ids, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, entity.ListAliases{After: after, Limit: limit})
	if err != nil {
		return answer{}, err
	}
	return keys(ids)
}

// lookupEntity answers nothing for nobody, as the vendor does.
func lookupEntity(rq *request) (answer, error) {
	f := rq.fields
	look := entity.Lookup{ID: f.text("id"), Name: f.text("name"), AliasID: f.text("alias_id"), AliasName: f.text("alias_name"), AliasMount: f.text("alias_mount_accessor")}
	if look == (entity.Lookup{}) {
		return answer{}, rq.refused(bad("query parameter not supplied"))
	}
	e, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, look)
	if err != nil || e == nil {
		return answer{}, errOrNothing(err)
	}
	return say(rq.entityInfo(e))
}

// errOrNothing lets an answer without anything in it go out as the vendor's 204.
func errOrNothing(err error) error {
	if errors.Is(err, secret.ErrNotFound) {
		return nil
	}
	return err
}
