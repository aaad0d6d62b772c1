package kernel

// KeepsInTasks says whether programs may keep values with tasks. Before Linux 6.4 the
// kernel allocated their memory in a way that is not safe wherever a program runs.
func (k *Kernel) KeepsInTasks() bool { return k.AtLeast(6, 4) && k.Has(TypedTask) }
