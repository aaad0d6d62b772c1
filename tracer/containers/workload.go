package containers

import "regexp"

// What controllers append to their own name to name a pod, or to name what makes the
// pod. Random letters are those of which no words come out; the hash of a pod's
// template is a number whose digits become ten of these.
var (
	random  = regexp.MustCompile(`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
	hash    = regexp.MustCompile(`^(.+)-[bcdf4-9]{6,10}$`)
	minutes = regexp.MustCompile(`^(.+)-[23][0-9]{7}$`) // since 1970, until 2046
	ordinal = regexp.MustCompile(`^(.+)-[0-9]+$`)
)

// Workload is the name of what a pod belongs to, by the pod's own name: a Deployment
// (web-6d4cf56db6-x2x9z), a CronJob (backup-29401230-x2x9z), a DaemonSet, ReplicaSet
// or Job (web-x2x9z), or a StatefulSet (db-0). Any other pod is a workload itself.
//
// A name does not tell everything: a Deployment's is cut where it has more than 46
// letters, each index of an indexed Job is a workload of its own, and a pod that
// somebody has called web-1 looks as if it belonged to a StatefulSet.
func Workload(pod string) string {
	owner, made := cut(random, pod)
	if !made {
		name, _ := cut(ordinal, pod)
		return name
	}
	for _, suffix := range []*regexp.Regexp{hash, minutes} {
		if name, ok := cut(suffix, owner); ok {
			return name
		}
	}
	return owner
}

// cut returns a name without a suffix, if it has that.
func cut(suffix *regexp.Regexp, name string) (before string, found bool) {
	if m := suffix.FindStringSubmatch(name); m != nil {
		return m[1], true
	}
	return name, false
}
