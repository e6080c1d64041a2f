package redistest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// slots is how many hash slots a cluster has.
const slots = 16384

// StartCluster starts a Cluster of so many masters, which share the slots
// evenly, and returns when all of them say that it is whole.
func StartCluster(tb testing.TB, masters int) []*Server {
	tb.Helper()
	nodes := make([]*Server, masters)
	buses := make([]string, masters)
	for i := range nodes {
		nodes[i] = startFree(tb, func() []string {
			buses[i] = strconv.Itoa(FreePort(tb))
			return []string{"--cluster-enabled", "yes", "--cluster-port", buses[i]}
		})
		nodes[i].Do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		nodes[i].Do("CLUSTER", "ADDSLOTSRANGE", i*slots/masters, (i+1)*slots/masters-1)
	}
	for i := range nodes[1:] {
		nodes[0].Do("CLUSTER", "MEET", "127.0.0.1", nodes[i+1].Port, buses[i+1])
	}
	for _, node := range nodes {
		client := node.Client()
		Eventually(tb, "the cluster is whole", func() bool {
			info := client.ClusterInfo(context.Background()).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", masters))
		})
	}
	return nodes
}

// Addresses lists those of the servers.
func Addresses(servers ...*Server) []string {
	list := make([]string, len(servers))
	for i, s := range servers {
		list[i] = s.Address()
	}
	return list
}

// Watched is a server with a replica, and the Sentinel that names the one of
// them that is the master.
type Watched struct{ Master, Replica, Sentinel *Server }

// StartWatched starts them, and returns when the Sentinel knows both. It calls
// the master by the name, and takes it for dead after half a second.
func StartWatched(tb testing.TB, name string) Watched {
	tb.Helper()
	w := Watched{Master: Start(tb, "--repl-diskless-sync-delay", "0")}
	w.Replica = Start(tb, "--replicaof", "127.0.0.1 "+strconv.Itoa(w.Master.Port))
	file := filepath.Join(tb.TempDir(), "sentinel.conf")
	settings := fmt.Sprintf("sentinel monitor %[1]s 127.0.0.1 %[2]d 1\nsentinel down-after-milliseconds %[1]s 500\nsentinel failover-timeout %[1]s 2000\n", name, w.Master.Port)
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		tb.Fatal(err)
	}
	replica := w.Replica.Client()
	Eventually(tb, "the replica follows", func() bool {
		return strings.Contains(replica.Info(context.Background(), "replication").Val(), "master_link_status:up")
	})
	w.Sentinel = Start(tb, file, "--sentinel")
	sentinel := w.Sentinel.Client()
	Eventually(tb, "the Sentinel knows the replica", func() bool {
		return strings.Contains(sentinel.Info(context.Background(), "sentinel").Val(), "slaves=1")
	})
	return w
}
