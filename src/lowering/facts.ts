// What a lowering may know of the host and of the call: probed before, passed in. Lowerings themselves read nothing.

/** How the image is used: create leaves the container at its gate, run starts it at once. */
export type Mode = 'create' | 'run' | 'run-foreground'

/** Where the pty's master goes. */
export type ConsoleTarget =
  /** connect(2) to this socket and send it there. */
  | { readonly kind: 'socket'; readonly path: string }
  /** Send it over the channel: runt relays. */
  | { readonly kind: 'channel' }

/** One cgroup hierarchy as the container's cgroup mount shows it. */
export interface CgroupView {
  /** Folder name below /sys/fs/cgroup: cpu,cpuacct … */
  readonly name: string
  /** Mount options that make it again: controllers, or name=systemd. */
  readonly options: readonly string[]
  /** Names that lead to it by symlink. */
  readonly links: readonly string[]
  /** The container's own folder on the host. */
  readonly directory: string
  /** The whole hierarchy, as the host has it. */
  readonly mountpoint: string
}

/** What every process in a container depends on, be it init or one that exec adds. */
export interface ProcessFacts {
  readonly id: string
  readonly mode: Mode
  /** Descriptors 3 … 3+N-1 that the caller wants inside (LISTEN_FDS and --preserve-fds). */
  readonly preservedFds: number
  /** LISTEN_FDS of the caller, when it is to be passed on. */
  readonly listenFds: number | undefined
  readonly console: ConsoleTarget | undefined
  readonly noNewKeyring: boolean
  /** Collect time stamps and send them home with `ready`. */
  readonly profile: boolean
  readonly cgroup: {
    /** Files to write oneself into. */
    readonly procs: readonly string[]
    /** The v2 folder to be born in. */
    readonly v2Directory: string | undefined
    /** P1 is put into its cgroup by somebody else, and waits for that. */
    readonly awaited: boolean
  }
  /** Files of resctrl to write oneself into. */
  readonly rdtTasks: readonly string[]
  /** Capabilities that runt may give away (bit set): permitted ∩ bounding, all in a new user namespace. */
  readonly grantable: bigint
  /** RLIMIT_NOFILE of the caller: engines raise their own, and it is inherited. */
  readonly nofile: { readonly soft: bigint; readonly hard: bigint } | undefined
  /** Bytes to reserve for the state that container hooks get on stdin. */
  readonly stateRoom: number
  /** The ABI of the kernel's Landlock, 0 when it has none. Asked only where there are rules. */
  readonly landlockAbi: number
  /** Is AppArmor at work on this machine? Asked only where a profile is. */
  readonly apparmor: boolean
  /** linux.seccomp, compiled: the program, and the flags of seccomp(2). */
  readonly seccomp: { readonly program: Uint8Array; readonly flags: number } | undefined
}

/** What building a container depends on. */
export interface Facts extends ProcessFacts {
  /** Where the gate's FIFOs are made. */
  readonly stateDirectory: string
  readonly noPivot: boolean
  readonly cgroup: ProcessFacts['cgroup'] & {
    /** What a mount of type cgroup shows; one element with options [] on a v2 host. */
    readonly views: readonly CgroupView[]
    readonly unified: boolean
  }
  /** May runt make device nodes? Not in a user namespace: there the host's are bound. */
  readonly makesDeviceNodes: boolean
  /** May P0 clone mounts? Else P1 does: in the container's own mount namespace, with the rights of its user namespace. */
  readonly mayMount: boolean
  /** runt is not root, here or of a user namespace: of its processes it can only look into those that are dumpable. */
  readonly ordinaryUser: boolean
  /** Are we in a user namespace other than the machine's own? */
  readonly nested: boolean
}

/** Descriptors with a fixed number in the image, above the preserved ones. UNUSED where the config has no use for one. */
export interface Slots {
  /** The conversation with runt. */
  readonly channel: number
  /** P0's own line to runt: P1's pid, and in the foreground the wait status. */
  readonly monitor: number
  /** exec: the pidfd of the container's init, whose namespaces are joined. */
  readonly init: number
  /** The root filesystem's mount. */
  readonly root: number
  /** FIFO: start writes here. */
  readonly gate: number
  /** FIFO: what became of the start is said here. */
  readonly verdict: number
  /** What hooks print. */
  readonly hookOutput: number
  /** The socket that takes the pty's master. */
  readonly console: number
  /** For calls that want a path: /proc/self/fd/N. */
  readonly path: number
  /** Where the program's labels are written: files of its own procfs. */
  readonly apparmor: number
  readonly selinux: number
  /** What an image that does runt's part keeps to the end: the container's folder, its lock, P1's pidfd. */
  readonly directory: number
  readonly lock: number
  readonly pidfd: number
  /** The first number that is only for temporary descriptors. */
  readonly free: number
}

const UNUSED = -1

/** What of the slots a container needs. */
export interface SlotUse {
  readonly init: boolean
  readonly gate: boolean
  readonly hookOutput: boolean
  readonly console: boolean
  readonly path: boolean
  readonly apparmor: boolean
  readonly selinux: boolean
  /** The container's folder and its lock. */
  readonly folder: boolean
  readonly pidfd: boolean
}

/** The slots that runt itself fills. @param preserved how many descriptors from 3 on belong to the container */
export function lineSlots(preserved: number): Pick<Slots, 'channel' | 'monitor' | 'init'> {
  return { channel: 3 + preserved, monitor: 4 + preserved, init: 5 + preserved }
}

/** @param preserved how many descriptors from 3 on belong to the container */
export function slots(preserved: number, use: SlotUse): Slots {
  const { channel, monitor } = lineSlots(preserved)
  let next = monitor + 1
  const take = (used: boolean): number => (used ? next++ : UNUSED)
  return {
    channel,
    monitor,
    init: take(use.init),
    root: take(true),
    // execve(2) lets go of the last one first: whoever has heard the verdict finds the gate gone.
    verdict: take(use.gate),
    gate: take(use.gate),
    hookOutput: take(use.hookOutput),
    console: take(use.console),
    path: take(use.path),
    apparmor: take(use.apparmor),
    selinux: take(use.selinux),
    directory: take(use.folder),
    lock: take(use.folder),
    pidfd: take(use.pidfd),
    free: next,
  }
}
