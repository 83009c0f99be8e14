// Words of runc that others look for in what a runtime says. A message of runt contains them, and then says more. Where they
// would say what isn't so, runt has its own: a hook's failure is never "running hook failed" without its kind, and what a debug log
// tells is runt's.

/** containerd, CRI-O and Kubernetes take it for a container that is gone. */
export const DOES_NOT_EXIST = 'container does not exist'

/** containerd and CRI-O: at a kill, the container has ended by itself. */
export const NOT_RUNNING = 'container not running'

/** Scripts, and containerd when it creates: the id is taken. */
export const ALREADY_EXISTS = 'container with given ID already exists'

/** Podman, when it execs into a container that has just ended. */
export const EXEC_STOPPED = 'cannot exec in a stopped container'
export const EXEC_PAUSED = 'cannot exec in a paused container'

/** dockerd and Podman make exit status 127 of it. */
export const NOT_IN_PATH = 'executable file not found in $PATH'

/** Podman asks by it whether restore knows --lsm-mount-context. */
export const NEEDS_ARGUMENT = 'flag needs an argument'

/** Scripts that try whether a runtime has a flag; the words of Go's package flag. */
export const NO_SUCH_FLAG = 'flag provided but not defined'

/** Scripts that try whether a runtime has a command. @param name of one that isn't there */
export function noSuchCommand(name: string): string {
  return `No help topic for '${name}'`
}

/** runc's tests, as all that follow: whether a container shares its cgroup, or would stand still in it. */
export const CGROUP_NOT_EMPTY = "container's cgroup is not empty"
export const CGROUP_FROZEN = "container's cgroup unexpectedly frozen"

/** Ordinary users: the cgroup that they name isn't theirs. */
export const CGROUP_NOT_APPLIED = 'unable to apply cgroup configuration'

/** Files of cgroup v2 on a machine with v1. */
export const INVALID_CONFIGURATION = 'invalid configuration'

/** exec --cgroup. */
export const BAD_SUB_CGROUP = 'bad sub cgroup path'
export const NOT_A_SUB_CGROUP = 'is not a sub cgroup path'
export const ADDING_PID = 'error adding pid to cgroups'
export const UNKNOWN_CONTROLLER = 'unknown controller'

/** update with checkBeforeUpdate. */
export const REJECTING_MEMORY = 'rejecting memory limit'
export const REJECTING_SWAP = 'rejecting memory+swap limit'

/** Filters of system calls with an agent. */
export const NO_AGENT = 'failed to connect with seccomp agent'
export const NOTIFY_WRITE = 'SCMP_ACT_NOTIFY cannot be used for the write syscall'

/** What a filter of system calls ended. */
export const FORBIDDEN_CALL = 'bad system call'

/** @param index in its list, from 0 */
export function hookWords(kind: string, index: number | string): string {
  return `error running ${kind} hook #${index}`
}
