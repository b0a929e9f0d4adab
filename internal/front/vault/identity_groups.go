package vault

import (
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/entity"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/record"
)

// groupRoutes is what identity/ has of groups, https://openbao.org/api-docs/secret/identity/group/
func groupRoutes() []route {
	return []route{
		{write, "group", "vault.identity.update", writeGroup},
		{write, "group/id/{id}", "vault.identity.update", writeGroup},
		{write, "group/name/{name}", "vault.identity.update", writeGroup},
		{read, "group/id/{id}", "vault.identity.read", readGroup},
		{read, "group/name/{name}", "vault.identity.read", readGroup},
		{remove, "group/id/{id}", "vault.identity.delete", dropGroup},
		{remove, "group/name/{name}", "vault.identity.delete", dropGroup},
		{list, "group/id", "vault.identity.list", listGroups},
		{list, "group/name", "vault.identity.list", listGroups},
		{write, "lookup/group", "vault.identity.lookup", lookupGroup},
	}
}

func writeGroup(rq *request) (answer, error) {
	f := rq.fields
	w, err := rq.whom()
	if err != nil {
		return answer{}, err
	}
	members, err := f.list("member_entity_ids")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	if kind := f.text("type"); kind != "" && kind != "internal" {
		return answer{}, rq.refused(bad("group type %q is not supported: this server has internal groups", kind))
	}
	inner, err := f.list("member_group_ids")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	made := false
	g, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, entity.WriteGroup{Name: rq.named(), Change: func(g *auth.Group) error {
		made = g.Updated.IsZero()
		w.to(f, &g.Name, &g.Policies, &g.Meta)
		if f.has("member_entity_ids") {
			g.Members = members
		}
		if f.has("member_group_ids") {
			g.Groups = inner
		}
		return nil
	}})
	if err != nil {
		return answer{}, err
	}
	if !made {
		return done()
	}
	return say(map[string]string{"id": g.ID, "name": g.Name})
}

func (rq *request) groupInfo(g *auth.Group) map[string]any {
	return map[string]any{
		"id": g.ID, "name": g.Name, "type": "internal", "metadata": meta(g.Meta), "policies": list0(g.Policies), "member_entity_ids": list0(g.Members),
		"member_group_ids": list0(g.Groups), "parent_group_ids": g.Parents, "alias": map[string]any{},
		"creation_time": string(appendTime(nil, g.Created)), "last_update_time": string(appendTime(nil, g.Updated)), "namespace_id": namespaceID(rq.ns),
	}
}

func readGroup(rq *request) (answer, error) {
	g, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, entity.ReadGroup{Name: rq.named()})
	if err != nil {
		return answer{}, err
	}
	return say(rq.groupInfo(&g))
}

func dropGroup(rq *request) (answer, error) {
	_, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, entity.DeleteGroup{Name: rq.named()})
	return emptyIfMissing(err)
}

func listGroups(rq *request) (answer, error) {
	after, limit, err := rq.page()
	if err != nil {
		return answer{}, rq.refused(err)
	}
	names, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, entity.ListGroups{ByName: rq.path == "identity/group/name", After: after, Limit: limit})
	if err != nil {
		return answer{}, err
	}
	return keys(names)
}

// lookupGroup finds a group by its id or name.
func lookupGroup(rq *request) (answer, error) {
	name := rq.named()
	if name.Text == "" {
		return answer{}, rq.refused(bad("query parameter not supplied"))
	}
	g, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, lookGroup{entity.ReadGroup{Name: name}})
	if err != nil {
		return answer{}, errOrNothing(err)
	}
	return say(rq.groupInfo(&g))
}

// lookGroup is entity's act, admitted by the leave to look up.
type lookGroup struct{ entity.ReadGroup }

func (lookGroup) Need() record.Need { return need("vault.identity.lookup", "identity/lookup/group") }
