package vault

import (
	"runtime"
	"time"
)

// nodeRoutes say what is served by whom, to clients that expect a cluster: one node, which leads itself.
func nodeRoutes() []route {
	return []route{
		{read, "storage/raft/configuration", "vault.sys.raft.configuration", raftConfiguration},
		{read, "host-info", "vault.sys.host-info", hostInfo},
	}
}

// raftConfiguration is https://openbao.org/api-docs/system/storage/raft/#read-raft-configuration of a single node. Its
// address is the one that the client came to: there is no other that peers would use.
func raftConfiguration(rq *request) (answer, error) {
	if err := rq.ask("vault.sys.raft.configuration"); err != nil {
		return answer{}, err
	}
	type node struct {
		ID       string `json:"node_id"`
		Address  string `json:"address"`
		Leader   bool   `json:"leader"`
		Protocol string `json:"protocol_version"`
		Voter    bool   `json:"voter"`
	}
	return sayFlat(map[string]any{"config": map[string]any{
		"index":   0,
		"servers": []node{{ID: rq.front.cfg.Node, Address: rq.http.Host, Leader: true, Protocol: "3", Voter: true}},
	}})
}

// hostInfo is https://openbao.org/api-docs/system/host-info/ with what the program knows by itself. It reads nothing of
// the machine: disks, memory and other processes are nobody's business who only reaches an API.
func hostInfo(rq *request) (answer, error) {
	if err := rq.ask("vault.sys.host-info"); err != nil {
		return answer{}, err
	}
	return sayFlat(map[string]any{
		"timestamp": string(appendTime(nil, time.Now())),
		"host":      map[string]any{"hostname": rq.front.cfg.Node, "os": runtime.GOOS, "kernelArch": runtime.GOARCH},
		"cpu":       nil, "cpu_times": nil, "disk": nil, "memory": nil,
	})
}
