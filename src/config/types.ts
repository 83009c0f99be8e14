// The validated, normalised, frozen configuration: what every later stage reads.
// Names are the runtime-spec's. Numbers that the kernel holds in 64 bits are bigint.

import type { CapabilityName } from '../linux/capabilities.ts'
import type { MemoryPolicyFlag, MemoryPolicyMode } from '../linux/memory-policy.ts'
import type { NamespaceType } from '../linux/namespaces.ts'
import type { PersonalityDomain } from '../linux/personality.ts'
import type { RlimitType } from '../linux/rlimits.ts'
import type { IoPriorityClass, SchedulingFlag, SchedulingPolicy } from '../linux/scheduling.ts'
import type { OciSeccomp } from './generated/oci.d.ts'
import type { Landlock } from './landlock.ts'

export interface Config {
  /** config.json as it was read. */
  readonly text: string
  readonly ociVersion: string
  /** Absolute path of the bundle. */
  readonly bundle: string
  readonly root: { /** absolute */ readonly path: string; readonly readonly: boolean }
  readonly hostname: string | undefined
  readonly domainname: string | undefined
  readonly mounts: readonly Mount[]
  /** Absent: the container can be created but not started. */
  readonly process: Process | undefined
  readonly hooks: Readonly<Record<HookKind, readonly Hook[]>>
  readonly annotations: Readonly<Record<string, string>>
  /** Of the annotation runt.exit-record: see to it that the end of init is on record. */
  readonly exitRecord: boolean
  readonly linux: Linux
  /** What the config asks for and can't have, but may go on without: printed as warnings. */
  readonly warnings: readonly string[]
}

/** What of a config concerns a process that exec adds to the container. */
export interface ProcessConfig {
  readonly process: Process | undefined
  readonly root: Pick<Config['root'], 'path'>
  readonly linux: Pick<Linux, 'namespaces' | 'memoryPolicy' | 'personality' | 'landlock'>
}

export interface Mount {
  /** Position in config.json's mounts, for JSON pointers. */
  readonly index: number
  /** Absolute, without "." ".." and double slashes, lexically cleaned. */
  readonly destination: string
  /** bind iff the options hold bind or rbind (spec: config.md, Mounts). */
  readonly kind: 'bind' | 'filesystem' | 'remount' | 'propagation'
  /** Filesystem type as given; 'bind' or '' when it says nothing. */
  readonly type: string
  /** Absolute for a bind (relative ones are taken from the bundle); as given otherwise. */
  readonly source: string | undefined
  readonly options: MountOptions
  readonly idmap: MountIdmap | undefined
}

/** How a mount shows the owners of its files (mount_setattr(2), ID-mapped mounts). */
export interface MountIdmap {
  /** The whole tree below, too: ridmap. */
  readonly recursive: boolean
  /** containerID: as the file system has them; hostID: as the host sees them. */
  readonly mappings: Mappings | 'of the joined user namespace'
}

export interface Mappings {
  readonly uidMappings: readonly IdMapping[]
  readonly gidMappings: readonly IdMapping[]
}

/** Mount options by what the kernel calls that they go to. The last of contradicting options wins. */
export interface MountOptions {
  /** MOUNT_ATTR_* to set and to clear on this mount. */
  readonly attrSet: number
  readonly attrClear: number
  /** Is an atime mode chosen (relatime is neither set nor cleared), and not taken back? */
  readonly atimeSet: boolean
  /** The same for the whole tree below it (rro, rnosuid …). */
  readonly recursiveSet: number
  readonly recursiveClear: number
  /** MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE, in the order given, recursive or not. */
  readonly propagation: readonly { readonly flag: number; readonly recursive: boolean }[]
  /** rbind */
  readonly recursiveBind: boolean
  /** Superblock flags that fsconfig(2) knows by name: sync, dirsync, lazytime, mand … */
  readonly superblock: readonly string[]
  /** Superblock flags that only mount(2) can set: MS_SILENT, MS_I_VERSION. */
  readonly legacyFlags: number
  readonly tmpcopyup: boolean
  /** Is a link at the end of a bind's source or destination meant itself? */
  readonly nofollow: { readonly source: boolean; readonly destination: boolean }
  readonly idmap: 'idmap' | 'ridmap' | undefined
  /** What is left: the file system's own options, in order, split at commas. */
  readonly data: readonly string[]
}

export interface Process {
  readonly terminal: boolean
  readonly consoleSize: { readonly height: number; readonly width: number } | undefined
  readonly user: {
    readonly uid: number
    readonly gid: number
    readonly umask: number | undefined
    readonly additionalGids: readonly number[]
    /** The caller's groups stay, whatever the list says. */
    readonly keepsGroups?: true
  }
  /** At least one. */
  readonly args: readonly string[]
  /** NAME=value; of duplicates only the last is kept, in its place. */
  readonly env: readonly string[]
  readonly cwd: string
  readonly capabilities: Readonly<Record<CapabilitySet, readonly CapabilityName[]>> | undefined
  readonly rlimits: readonly { readonly type: RlimitType; readonly soft: bigint; readonly hard: bigint }[]
  readonly noNewPrivileges: boolean
  readonly oomScoreAdj: number | undefined
  readonly apparmorProfile: string | undefined
  readonly selinuxLabel: string | undefined
  readonly scheduler: Scheduler | undefined
  readonly ioPriority: { readonly class: IoPriorityClass; readonly priority: number } | undefined
  /** CPU lists ("0-3,7") for processes of exec: until the container's cgroup is joined, and from then on. */
  readonly execCPUAffinity: { readonly initial: string | undefined; readonly final: string | undefined } | undefined
}

/** process.scheduler, as sched_setattr(2) takes it. */
export interface Scheduler {
  readonly policy: SchedulingPolicy
  readonly flags: readonly SchedulingFlag[]
  readonly nice: number
  readonly priority: number
  /** Nanoseconds, SCHED_DEADLINE's. */
  readonly runtime: bigint
  readonly deadline: bigint
  readonly period: bigint
}

export type CapabilitySet = 'bounding' | 'effective' | 'permitted' | 'inheritable' | 'ambient'

export const HOOK_KINDS = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const
export type HookKind = (typeof HOOK_KINDS)[number]

export interface Hook {
  readonly path: string
  /** argv, at least one: the path when the config gives none. */
  readonly args: readonly string[]
  /** The whole environment; undefined when the config gives none: lowering/hooks.ts and lifecycle/hooks.ts say what then. */
  readonly env: readonly string[] | undefined
  /** Seconds. */
  readonly timeout: number | undefined
}

export interface Linux extends Mappings {
  readonly namespaces: readonly { readonly type: NamespaceType /** absolute */; readonly path: string | undefined }[]
  readonly timeOffsets: { readonly monotonic?: TimeOffset; readonly boottime?: TimeOffset } | undefined
  readonly devices: readonly Device[]
  readonly cgroupsPath: string | undefined
  readonly resources: Resources
  readonly rootfsPropagation: 'shared' | 'slave' | 'private' | 'unbindable' | undefined
  readonly maskedPaths: readonly string[]
  readonly readonlyPaths: readonly string[]
  readonly sysctl: Readonly<Record<string, string>>
  readonly seccomp: Seccomp | undefined
  /** Devices of the host to move in: their names there, and in the container ("%d" is a number to be found). */
  readonly netDevices: readonly { readonly host: string; readonly name: string }[]
  readonly mountLabel: string | undefined
  readonly intelRdt: IntelRdt | undefined
  readonly memoryPolicy: MemoryPolicy | undefined
  readonly personality: PersonalityDomain | undefined
  /** Of the annotation runt.landlock. */
  readonly landlock: Landlock | undefined
}

/** linux.intelRdt. */
export interface IntelRdt {
  /** "/": the root group; undefined: a group for this container alone. */
  readonly closID: string | undefined
  /** All that is to be written into the group's schemata file, in order. */
  readonly schemata: readonly string[]
  readonly enableMonitoring: boolean
}

/** linux.memoryPolicy, as set_mempolicy(2) takes it. */
export interface MemoryPolicy {
  readonly mode: MemoryPolicyMode
  readonly flags: readonly MemoryPolicyFlag[]
  /** "0-1,3"; empty: none. */
  readonly nodes: string
}

/** As the config has it: it is compiled as a whole (seccomp/). Its numbers of 64 bits are exact. */
export type Seccomp = OciSeccomp

export interface IdMapping {
  readonly containerID: number
  readonly hostID: number
  readonly size: number
}

export interface TimeOffset {
  readonly secs: bigint
  readonly nanosecs: number
}

export interface Device {
  /** Position in linux.devices. */
  readonly index: number
  /** u is c. */
  readonly type: 'c' | 'b' | 'p'
  readonly path: string
  readonly major: number
  readonly minor: number
  /** Permission bits; 0o666 when the config gives none. */
  readonly fileMode: number
  readonly uid: number
  readonly gid: number
}

/** linux.resources; what is undefined is left as the kernel has it. */
export interface Resources {
  readonly devices: readonly DeviceRule[]
  readonly memory: {
    readonly limit?: bigint
    readonly reservation?: bigint
    readonly swap?: bigint
    readonly kernelTCP?: bigint
    readonly swappiness?: bigint
    readonly disableOOMKiller?: boolean
    readonly useHierarchy?: boolean
    readonly checkBeforeUpdate?: boolean
  }
  readonly cpu: {
    readonly shares?: bigint
    readonly quota?: bigint
    readonly burst?: bigint
    readonly period?: bigint
    readonly realtimeRuntime?: bigint
    readonly realtimePeriod?: bigint
    readonly idle?: bigint
    readonly cpus?: string
    readonly mems?: string
  }
  readonly pids: { readonly limit?: bigint }
  readonly unified: Readonly<Record<string, string>>
  readonly blockIO?: BlockIO
  readonly hugepageLimits?: readonly HugepageLimit[]
  readonly network?: Network
  /** By device. */
  readonly rdma?: Readonly<Record<string, RdmaLimit>>
}

/** Weights are 10 to 1000. */
export interface BlockIO {
  readonly weight?: number
  readonly leafWeight?: number
  readonly weightDevice?: readonly WeightDevice[]
  readonly throttleReadBpsDevice?: readonly ThrottleDevice[]
  readonly throttleWriteBpsDevice?: readonly ThrottleDevice[]
  readonly throttleReadIOPSDevice?: readonly ThrottleDevice[]
  readonly throttleWriteIOPSDevice?: readonly ThrottleDevice[]
}

export interface BlockDevice {
  readonly major: number
  readonly minor: number
}

export interface WeightDevice extends BlockDevice {
  readonly weight?: number
  readonly leafWeight?: number
}

/** rate: bytes or operations a second; 0 lifts the limit. */
export interface ThrottleDevice extends BlockDevice {
  readonly rate: bigint
}

export interface HugepageLimit {
  /** As the kernel's files are called: 2MB, 1GB. */
  readonly pageSize: string
  /** Bytes. */
  readonly limit: bigint
}

export interface Network {
  readonly classID?: number
  readonly priorities?: readonly { readonly name: string; readonly priority: number }[]
}

/** At least one of them. */
export interface RdmaLimit {
  readonly hcaHandles?: number
  readonly hcaObjects?: number
}

export interface DeviceRule {
  readonly allow: boolean
  /** a: all devices, whatever the numbers. */
  readonly type: 'a' | 'c' | 'b'
  /** undefined: any. */
  readonly major: number | undefined
  readonly minor: number | undefined
  /** Letters of r, w, m; never empty. */
  readonly access: string
}
