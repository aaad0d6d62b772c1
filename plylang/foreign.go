package plylang

// Words of other languages
//
// Who comes from bpftrace, DTrace, awk or C writes their words. A word of the
// table that means nothing here is answered with ours. Both the parser and the
// checker ask the table, each where it would have to say less.

// foreignWords says for each word what to do instead.
var foreignWords = map[string]string{
	// aggregations
	"hist":   "write quantize(x)",
	"lhist":  "write lquantize(x, lo, hi, step)",
	"stats":  "write avg(x), which has the count and the sum too",
	"stddev": "write avg(x) or quantize(x)",

	// Prometheus
	"histogram":  "write quantize(x)",
	"summary":    "write quantize(x), or avg(x) for the sum and the count",
	"counter":    "write count() or sum(x)",
	"gauge":      "store the value, as in @x = value, and export the map in the configuration",
	"rate":       "write count() or sum(x), and rate() in PromQL",
	"increase":   "write count() or sum(x), and increase() in PromQL",
	"inc":        "write count()",
	"observe":    "write quantize(x)",
	"percentile": quantile, "quantile": quantile, "median": quantile, "p50": quantile, "p90": quantile, "p95": quantile, "p99": quantile,
	"histogram_quantile": quantile,
	"topk":               "write count() or sum(x), and topk() in PromQL, or top: in the configuration",
	"average":            "write avg(x)",
	"mean":               "write avg(x)",
	"total":              "write sum(x)",
	"now":                "write walltime for the time of day, time for the difference to another",
	"process":            "write comm for the name, pid for the number",
	"command":            "write comm for the name, pid for the number",
	"thread":             "write tid for the number, comm for the name",
	"user":               "write username(uid)",
	"device":             "write dev(x), where x is a device number such as data->dev",
	"result":             "write retval where a call returns",
	"where":              predicate,
	"when":               predicate,
	"contains":           noPatterns,
	"like":               noPatterns,
	"matches":            noPatterns,
	"by":                 "labels are the key of the map: write @x[a, b] = count()",
	"labels":             "labels are the key of the map: write @x[a, b] = count()",
	"instance":           "Prometheus adds it when it scrapes",
	"hostname":           "Prometheus has it as the label instance",
	"container":          "write cgroup, which the configuration makes labels of: {as: [namespace, pod, container]}",
	"pod":                "write cgroup, which the configuration makes labels of: {as: [namespace, pod, container]}",
	"latency":            "write elapsed where a call returns, and time - @begin[tid] elsewhere",
	"duration":           "write elapsed where a call returns, and time - @begin[tid] elsewhere",
	"ret":                "write retval where a call returns",
	"tseries":            "write count() or sum(x): the exporter's samples are the series",

	// maps
	"zero":        "write clear(@x)",
	"trunc":       "write clear(@x), or delete @x[key]",
	"normalize":   "scale the value before it is stored, as in sum(x / 1000)",
	"denormalize": "scale the value before it is stored, as in sum(x / 1000)",
	"printa":      "write print(@x)",
	"len":         "print(@x) prints a map, strlen(s) counts the bytes of text",
	"has_key":     missingKey,

	// variables
	"self":          "what a thread keeps is a map with its id as key: write @x[tid]",
	"this":          "a variable of the probe needs no \"this->\": write x",
	"timestamp":     "write time or nsecs",
	"vtimestamp":    "write time or nsecs",
	"walltimestamp": "write walltime",
	"systime":       "write walltime",
	"jiffies":       "write time or nsecs",
	"curthread":     "write curtask",
	"curpsinfo":     "write comm for the name, or curtask for its struct task_struct",
	"probemod":      "write probe",
	"probename":     "write probe",
	"probeprov":     "write probe",
	"pcomm":         "write curtask->real_parent->comm",
	"ncpus":         "there is cpu, the number of this one",
	"cgroupid":      "compare the id, which is the inode number of the group's folder: cgroup == 1234",
	"sarg0":         "arguments on the stack are arg6 to arg9",
	"true":          "write 1",
	"false":         "write 0",
	"null":          "write 0, or nil to forget a key",
	"NULL":          "write 0, or nil to forget a key",
	"NR":            "count yourself, as in @n++",
	"NF":            "events have no columns: their parts are data->field and args->name",

	// memory and text
	"copyinstr":    "write str(p)",
	"stringof":     "write str(p) for an address, and leave it out for text",
	"copyin":       "write mem(p, n), or *(u32 *)p",
	"buf":          "write mem(p, n)",
	"join":         "print its parts: str(((char **)args->argv)[0]) and so on",
	"path":         "follow the pointers, as in str(file->f_path.dentry->d_name.name)",
	"uaddr":        "write the address as a number",
	"percpu_kaddr": "write the address as a number",
	"offsetof":     "members are read by name: write p->member",
	"inet_ntoa":    "write ntop(x)",
	"inet_ntop":    "write ntop(x)",
	"pton":         "compare with the number, as it lies in memory",
	"AF_INET":      "ntop(x) tells by the size: write ntop(x)",
	"AF_INET6":     "ntop(x) tells by the size: write ntop(x)",
	"macaddr":      "write mac(x)",
	"strerror":     "write errno(n)",
	"strftime":     "write walltime, which prints as a time of day",
	"bswap":        "write ntohs(x) or ntohl(x); fields declared __be16 or __be32 are in host order",
	"htons":        inHostOrder,
	"htonl":        inHostOrder,
	"length":       "write strlen(s)",
	"index":        "write startswith(s, \"x\"), or s == \"x\"",
	"strstr":       "write startswith(s, \"x\"), or s == \"x\"",
	"strcontains":  "write startswith(s, \"x\"), or s == \"x\"",
	"substr":       "write str(s, n) for the beginning, or str(p + i, n) with an address",
	"basename":     "text is not cut up: print it whole",
	"strtok":       "text is not cut up: print it whole",
	"strjoin":      "text is not joined: print the parts, as in printf(\"%s%s\", a, b)",
	"sprintf":      "printf(format, ...) prints; a value is not made into text",
	"tolower":      "write out the spellings: s == \"a\" || s == \"A\"",
	"toupper":      "write out the spellings: s == \"a\" || s == \"A\"",
	"lltostr":      "numbers print as they are: print(x)",
	"int":          "all numbers are whole: leave it out",

	// actions
	"trace":     "write print(x)",
	"tracemem":  "write print(mem(p, n))",
	"errorf":    "write printf(format, ...)",
	"warnf":     "write printf(format, ...)",
	"debugf":    "write printf(format, ...)",
	"echo":      "write print(x)",
	"assert":    "write if (!x) { print(\"...\"); exit(1); }",
	"cat":       observes,
	"system":    observes,
	"raise":     observes,
	"panic":     observes,
	"stop":      observes,
	"override":  observes,
	"freopen":   "the output goes where the shell sends it: ply-exporter run ... > file",
	"ftruncate": "the output goes where the shell sends it: ply-exporter run ... > file",
	"getline":   "there is no input: probes fire by themselves",
	"next":      "write return",

	// statements
	"let":      "a variable is made by storing in it: write x = 1",
	"var":      "a variable is made by storing in it: write x = 1",
	"const":    "a variable is made by storing in it: write x = 1",
	"auto":     "a variable is made by storing in it: write x = 1",
	"struct":   "types are inferred, and the kernel's are known: write t = curtask, or (struct file *)p",
	"union":    "types are inferred, and the kernel's are known: write t = curtask, or (struct file *)p",
	"then":     "leave it out: write if (x) { ... }",
	"elif":     "write else if (x) { ... }",
	"elsif":    "write else if (x) { ... }",
	"elseif":   "write else if (x) { ... }",
	"do":       "write unroll (8) { ... }, with break to leave it",
	"loop":     "write unroll (8) { ... }, with break to leave it",
	"switch":   "write if (x == 1) { ... } else if (x == 2) { ... }",
	"case":     "write if (x == 1) { ... } else if (x == 2) { ... }",
	"goto":     "use if and else, or return to leave the probe",
	"config":   "options are those of ply-exporter run, and of the exporter's configuration",
	"macro":    "write out what it stands for",
	"fn":       "write out what it does in each probe",
	"function": "write out what it does in each probe",
	"import":   "write all probes into one script",

	// operators
	"and":   "write &&",
	"or":    "write ||",
	"not":   "write !",
	"mod":   "write %",
	"<>":    "write !=",
	":=":    "write =",
	"=~":    noPatterns,
	"~":     noPatterns,
	"match": noPatterns,
	"&":     "arrays and pointers are addresses themselves, and nothing else has one",
}

const (
	quantile    = "write quantize(x), and histogram_quantile() in PromQL"
	predicate   = "a condition stands between slashes behind the probe, as in kprobe:SyS_read / pid == 1 / { ... }"
	inHostOrder = "fields declared __be16 or __be32 are in host order: compare with the number itself, as in x == 443"

	observes   = "a script only observes; act on what it prints"
	noPatterns = "text is compared with ==, !=, startswith(s, \"x\") and strcmp(a, b)"
)

// Foreign returns what to write in place of a word of another language, ""
// where it has a meaning here, or nobody knows it.
func Foreign(word string) string { return foreignWords[word] }

// foreign is how a message about a word that does not exist here ends: ": "
// and what to do instead; "" where the table does not know it.
func foreign(word string) string {
	if hint, ok := foreignWords[word]; ok {
		return ": " + hint
	}
	return ""
}

// foreign reports what is at pos if it is a word or sign of another
// language: the sign that begins there, that ends there, the word, or the word
// before it.
func (p *parser) foreign(pos int) bool {
	text := p.src.Text
	if p.failed || p.prev.pos > pos {
		return false
	}
	return p.foreignWord([]wordAt{
		{pos, text[pos:min(pos+2, len(text))]},
		{pos, text[p.prev.pos:p.tok.end]},
		wordOf(p.tok),
		wordOf(p.prev),
	})
}

// A wordAt is a word and where it is.
type wordAt struct {
	pos  int
	word string
}

// wordOf is the word of a token, but not what a string holds.
func wordOf(t token) wordAt {
	if t.kind == STRING {
		return wordAt{t.pos, ""}
	}
	return wordAt{t.pos, t.text}
}

// foreignWord reports the first of the words that the table knows.
func (p *parser) foreignWord(words []wordAt) bool {
	for _, at := range words {
		if hint := foreign(at.word); hint != "" {
			p.fail(at.pos, "there is no %q%s", at.word, hint)
			return true
		}
	}
	return false
}

// foreignStmt reports a statement that begins or ends with such a word, or that
// one follows.
func (p *parser) foreignStmt(s Stmt) bool {
	begin, name := int(s.Position()), stmtWord(s)
	if name != "" {
		return p.foreignWord([]wordAt{{begin, name}})
	}
	return p.foreignWord([]wordAt{wordOf(p.prev), wordOf(p.tok)})
}

// stmtWord is the word that an expression statement begins with.
func stmtWord(s Stmt) string {
	if x, ok := s.(*ExprStmt); ok {
		return firstName(x.X)
	}
	return ""
}
