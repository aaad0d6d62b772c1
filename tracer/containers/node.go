package containers

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// Where a node has names.
const (
	podLogs       = "var/log/pods"       // of the kubelet: a folder NAMESPACE_POD_UID for each pod, made before the pod is
	containerLogs = "var/log/containers" // of the kubelet: a link POD_NAMESPACE_CONTAINER-ID.log for each container, made when it runs
	dockerState   = "var/lib/docker/containers"
	podmanState   = "var/lib/containers/storage/overlay-containers/containers.json"
)

// maxState is more than a file of Docker's or podman's has.
const maxState = 16 << 20

// ReadNames reads the files of a node, of which any may be missing. It returns the names
// of containers by their IDs, and those of pods by their UIDs, as NAMESPACE_POD: at most
// as many as most says. Docker's are asked for one by one: see DockerName.
//
// The kubelet cuts the name of a link at 255 bytes, and with it the ID. So a name
// that has no whole ID says nothing, and what is in a link's name is read where it
// leads to: …/NAMESPACE_POD_UID/CONTAINER/0.log.
func ReadNames(files fs.FS, most int) map[string]string {
	names := map[string]string{}
	add := func(of, name string) {
		if len(names) < most && of != "" && name != "" {
			names[of] = name
		}
	}
	for _, entry := range readDir(files, podLogs) {
		add(podOfFolder(entry.Name()))
	}
	for _, entry := range readDir(files, containerLogs) {
		target, err := fs.ReadLink(files, path.Join(containerLogs, entry.Name()))
		if err != nil {
			continue
		}
		folder, container := path.Split(path.Dir(target))
		uid, pod := podOfFolder(path.Base(folder))
		if add(uid, pod); uid != "" {
			add(idOfLink(entry.Name()), container)
		}
	}
	for id, name := range podmanNames(readState(files, podmanState)) {
		add(id, name)
	}
	return names
}

func readDir(files fs.FS, folder string) []fs.DirEntry {
	entries, _ := fs.ReadDir(files, folder)
	return entries
}

// podOfFolder reads the name of a pod's folder. No name in Kubernetes has a _ in it.
func podOfFolder(folder string) (uid, pod string) {
	parts := strings.Split(folder, "_")
	if len(parts) != 3 {
		return "", ""
	}
	return parts[2], parts[0] + "_" + parts[1]
}

var linkID = regexp.MustCompile(`-([0-9a-f]{64})\.log$`)

// idOfLink is the ID in the name of a container's link, "" where it was cut.
func idOfLink(name string) string {
	if m := linkID.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return ""
}

// DockerName returns the name of a container of Docker's.
func DockerName(files fs.FS, id string) string {
	return dockerName(readState(files, path.Join(dockerState, id, "config.v2.json")))
}

// readState reads a file; an empty one stands for none.
func readState(files fs.FS, name string) []byte {
	f, err := files.Open(name)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxState))
	if err != nil {
		return nil
	}
	return b
}

// dockerName is in what Docker knows of a container: it has a slash before it.
func dockerName(state []byte) string {
	var container struct{ Name string }
	if json.Unmarshal(state, &container) != nil {
		return ""
	}
	return strings.TrimPrefix(container.Name, "/")
}

// podmanNames are in the list of containers of podman's storage, which is CRI-O's, too:
// a pod's container is k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT there. What holds the pod
// together, and is no container to the user, is called POD.
func podmanNames(state []byte) map[string]string {
	var list []struct {
		ID    string
		Names []string
	}
	if json.NewDecoder(bytes.NewReader(state)).Decode(&list) != nil {
		return nil
	}
	names := map[string]string{}
	for _, c := range list {
		if len(c.Names) == 0 {
			continue
		}
		name := c.Names[0]
		if parts := strings.Split(name, "_"); len(parts) == 6 && parts[0] == "k8s" {
			if name = parts[1]; name == "POD" {
				continue
			}
		}
		names[c.ID] = name
	}
	return names
}
