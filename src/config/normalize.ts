// A checked config → Config: defaults filled in, paths absolute, mount options sorted, 64-bit numbers as bigint.
// What holds then: no stage after this one looks at config.json, or asks whether something was given.

import { CAPABILITY_NAMES, type CapabilityName } from '../linux/capabilities.ts'
import type { RlimitType } from '../linux/rlimits.ts'
import { nearest } from '../nearest.ts'
import { ignoredAnnotations, KEEP_GROUPS } from './annotations.ts'
import { isNewerMinor, SPEC_VERSION } from './check-container.ts'
import { EXIT_RECORD_ANNOTATION } from './exit-record.ts'
import type { OciConfig, Hook as OciHook, OciLinux, OciProcess } from './generated/oci.d.ts'
import { LANDLOCK_ANNOTATION, parseLandlock } from './landlock.ts'
import { parseMountOptions } from './mount-options.ts'
import { normalizeResources } from './normalize-resources.ts'
import { absolutePath, cleanPath } from './path.ts'
import type { Report } from './problems.ts'
import {
  type CapabilitySet,
  type Config,
  type Device,
  HOOK_KINDS,
  type Hook,
  type HookKind,
  type IntelRdt,
  type Linux,
  type Mount,
  type Process,
  type Scheduler,
} from './types.ts'

type OciMount = NonNullable<OciConfig['mounts']>[number]

/** A timer longer than this (24 days) would overflow and fire at once. */
const LONGEST_TIMEOUT = 2_147_483

/**
 * @param bundle absolute
 * @param report gets what is ignored or taken otherwise than it says
 */
export function normalize(config: OciConfig, bundle: string, text = '', report: Report = () => {}): Config {
  if (isNewerMinor(config.ociVersion)) {
    report('/ociVersion', undefined, `runt knows ${SPEC_VERSION}; what ${config.ociVersion} added is ignored`)
  }
  const ignored = ignoredAnnotations(config)
  if (ignored.length > 0)
    report('/annotations', undefined, `runt has nothing of the kind, and ignores ${ignored.join(', ')}`)
  const normal: Config = {
    text,
    ociVersion: config.ociVersion,
    bundle,
    root: { path: rootPath(config, bundle), readonly: config.root?.readonly ?? false },
    hostname: orUndefined(config.hostname),
    domainname: orUndefined(config.domainname),
    mounts: (config.mounts ?? []).map((mount, index) =>
      normalizeMount(mount, { index, bundle, report, linux: config.linux ?? {} }),
    ),
    process: config.process === undefined ? undefined : withGroups(normalizeProcess(config.process, report), config),
    hooks: Object.fromEntries(
      HOOK_KINDS.map((kind) => [kind, (config.hooks?.[kind] ?? []).map(normalizeHook)]),
    ) as unknown as Record<HookKind, readonly Hook[]>, // fromEntries forgets that all kinds are there
    annotations: config.annotations ?? {},
    exitRecord: config.annotations?.[EXIT_RECORD_ANNOTATION] === 'true',
    linux: normalizeLinux(config, report),
    warnings: [],
  }
  return Object.freeze(normal)
}

/** Where the root file system is on the host. @param bundle absolute */
export function rootPath({ root }: Pick<OciConfig, 'root'>, bundle: string): string {
  return absolutePath(root?.path ?? 'rootfs', bundle)
}

function orUndefined(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

interface MountSurroundings {
  readonly index: number
  readonly bundle: string
  readonly report: Report
  readonly linux: OciLinux
}

function normalizeMount(mount: OciMount, { index, bundle, report, linux }: MountSurroundings): Mount {
  const { options, bind, remount } = parseMountOptions(mount.options)
  if (!mount.destination.startsWith('/')) {
    report(`/mounts/${index}/destination`, mount.destination, 'isn\'t absolute: taken from "/"')
  }
  const type = mount.type ?? ''
  const kind = mountKind({ bind, remount, type, propagation: options.propagation.length > 0 })
  const source = orUndefined(mount.source)
  if (kind === 'bind' && options.data.length > 0) {
    report(
      `/mounts/${index}/options`,
      undefined,
      `a bind takes no options of file systems: ${options.data.join(', ')} ignored`,
    )
  }
  return {
    index,
    destination: absolutePath(mount.destination, '/'),
    kind,
    type: kind === 'bind' ? 'bind' : type === 'none' ? '' : type,
    source: kind === 'bind' && source !== undefined ? absolutePath(source, bundle) : source,
    options,
    idmap: normalizeIdmap(mount, options.idmap, linux),
  }
}

/** Is an option that is no flag meant for a file system? */
export function isFileSystemData(option: string): boolean {
  return option.includes('=')
}

/** Mappings say it alone; the option alone means those of the container (config.md, Mounts). */
function normalizeIdmap(mount: OciMount, option: 'idmap' | 'ridmap' | undefined, linux: OciLinux): Mount['idmap'] {
  const { uidMappings = [], gidMappings = [] } = mount
  const given = uidMappings.length > 0
  if (option === undefined && !given) return undefined
  const recursive = option === 'ridmap'
  if (given) return { recursive, mappings: { uidMappings, gidMappings } }
  if (linux.namespaces?.some(({ type, path }) => type === 'user' && path !== undefined && path !== '')) {
    return { recursive, mappings: 'of the joined user namespace' }
  }
  return { recursive, mappings: { uidMappings: linux.uidMappings ?? [], gidMappings: linux.gidMappings ?? [] } }
}

/** config.md, Mounts: whether it is a bind is for the options to say, not for the type. */
export function mountKind(asked: {
  readonly bind: boolean
  readonly remount: boolean
  readonly type: string
  readonly propagation: boolean
}): Mount['kind'] {
  if (asked.remount) return 'remount'
  if (asked.bind) return 'bind'
  const typeless = asked.type === '' || asked.type === 'none'
  return typeless && asked.propagation ? 'propagation' : 'filesystem'
}

/** The caller's groups stay where an annotation asks for it. */
function withGroups(process: Process, { annotations = {} }: OciConfig): Process {
  return KEEP_GROUPS in annotations ? { ...process, user: { ...process.user, keepsGroups: true } } : process
}

/** Also for a process that exec reads from a file. */
export function normalizeProcess(process: OciProcess, report: Report): Process {
  const { user, consoleSize } = process
  const terminal = process.terminal ?? false
  return {
    terminal,
    consoleSize:
      terminal && consoleSize !== undefined
        ? { height: Number(consoleSize.height), width: Number(consoleSize.width) }
        : undefined,
    user: {
      uid: user?.uid ?? 0, // as runc, whose zero values engines came to rely on
      gid: user?.gid ?? 0,
      umask: user?.umask,
      additionalGids: user?.additionalGids ?? [],
    },
    args: process.args ?? [],
    env: lastOfEach(process.env ?? []),
    cwd: cleanPath(process.cwd),
    capabilities: process.capabilities === undefined ? undefined : knownOnly(process.capabilities, report),
    rlimits: (process.rlimits ?? []).map(({ type, soft, hard }) => ({
      type: type as RlimitType, // the schema's list
      soft: BigInt(soft),
      hard: BigInt(hard),
    })),
    noNewPrivileges: process.noNewPrivileges ?? false,
    oomScoreAdj: process.oomScoreAdj,
    execCPUAffinity: normalizeAffinity(process.execCPUAffinity),
    apparmorProfile: orUndefined(process.apparmorProfile),
    selinuxLabel: orUndefined(process.selinuxLabel),
    scheduler: process.scheduler === undefined ? undefined : normalizeScheduler(process.scheduler),
    ioPriority: process.ioPriority === undefined ? undefined : { priority: 0, ...process.ioPriority },
  }
}

function normalizeScheduler(scheduler: NonNullable<OciProcess['scheduler']>): Scheduler {
  const { policy, flags = [], nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0 } = scheduler
  return {
    policy,
    flags,
    nice,
    priority,
    runtime: BigInt(runtime),
    deadline: BigInt(deadline),
    period: BigInt(period),
  }
}

/** An empty list asks for nothing. */
function normalizeAffinity(affinity: OciProcess['execCPUAffinity']): Process['execCPUAffinity'] {
  const { initial, final } = { initial: orUndefined(affinity?.initial), final: orUndefined(affinity?.final) }
  return initial === undefined && final === undefined ? undefined : { initial, final }
}

/** Of variables with one name the last counts, in its place. */
export function lastOfEach(env: readonly string[]): string[] {
  const last = new Map<string, number>()
  env.forEach((variable, index) => {
    last.set(nameOf(variable), index)
  })
  return env.filter((variable, index) => last.get(nameOf(variable)) === index)
}

function nameOf(variable: string): string {
  return variable.slice(0, variable.indexOf('='))
}

const CAPABILITY_SETS = ['bounding', 'effective', 'permitted', 'inheritable', 'ambient'] as const
const KNOWN_CAPABILITIES: ReadonlySet<string> = new Set(CAPABILITY_NAMES)

/** config.md, Process: a capability that can't be mapped to the kernel's is worth a warning, not a failure. */
function knownOnly(
  capabilities: NonNullable<OciProcess['capabilities']>,
  report: Report,
): Record<CapabilitySet, CapabilityName[]> {
  const known = (set: CapabilitySet): CapabilityName[] => {
    const names = new Set(capabilities[set] ?? [])
    capabilities[set]?.forEach((name, index) => {
      if (KNOWN_CAPABILITIES.has(name)) return
      const suggestion = nearest(name, CAPABILITY_NAMES)
      report(`/process/capabilities/${set}/${index}`, name, 'is no capability that runt knows: ignored', { suggestion })
    })
    return [...names].filter((name): name is CapabilityName => KNOWN_CAPABILITIES.has(name))
  }
  return Object.fromEntries(CAPABILITY_SETS.map((set) => [set, known(set)])) as Record<CapabilitySet, CapabilityName[]>
}

function normalizeHook(hook: OciHook): Hook {
  return {
    path: hook.path,
    args: hook.args === undefined || hook.args.length === 0 ? [hook.path] : hook.args,
    env: hook.env,
    timeout: hook.timeout === undefined ? undefined : Math.min(hook.timeout, LONGEST_TIMEOUT),
  }
}

function normalizeLinux({ ociVersion, linux = {}, annotations = {} }: OciConfig, report: Report): Linux {
  const landlock = annotations[LANDLOCK_ANNOTATION]
  const namespaces = (linux.namespaces ?? []).map(({ type, path }) => ({ type, path: orUndefined(path) }))
  const userNamespace = namespaces.find(({ type }) => type === 'user')
  const joinsUser = userNamespace?.path !== undefined
  if (joinsUser && (linux.uidMappings ?? linux.gidMappings ?? []).length > 0) {
    report('/linux/uidMappings', undefined, 'ignored, the user namespace that is joined has its own')
  }
  return {
    namespaces,
    uidMappings: joinsUser ? [] : (linux.uidMappings ?? []),
    gidMappings: joinsUser ? [] : (linux.gidMappings ?? []),
    timeOffsets: normalizeTimeOffsets(linux.timeOffsets),
    devices: (linux.devices ?? []).map(normalizeDevice),
    cgroupsPath: orUndefined(linux.cgroupsPath),
    resources: normalizeResources(linux.resources ?? {}, report, ociVersion),
    rootfsPropagation: linux.rootfsPropagation?.replace(/^r/, '') as Linux['rootfsPropagation'], // the schema's list
    maskedPaths: (linux.maskedPaths ?? []).map(cleanPath),
    readonlyPaths: (linux.readonlyPaths ?? []).map(cleanPath),
    sysctl: linux.sysctl ?? {},
    seccomp: linux.seccomp,
    netDevices: Object.entries(linux.netDevices ?? {}).map(([host, { name = '' }]) => ({ host, name: name || host })),
    mountLabel: orUndefined(linux.mountLabel),
    intelRdt: linux.intelRdt === undefined ? undefined : normalizeRdt(linux.intelRdt),
    memoryPolicy: linux.memoryPolicy === undefined ? undefined : { flags: [], nodes: '', ...linux.memoryPolicy },
    personality: linux.personality?.domain,
    landlock: landlock === undefined ? undefined : parseLandlock(landlock),
  }
}

/** config-linux.md, Intel RDT: of two lines for memory bandwidth the one of memBwSchema counts. */
function normalizeRdt(rdt: NonNullable<OciLinux['intelRdt']>): IntelRdt {
  const { closID, l3CacheSchema = '', memBwSchema = '', schemata = [], enableMonitoring = false } = rdt
  const cache = memBwSchema !== '' && l3CacheSchema.startsWith('MB:') ? '' : l3CacheSchema
  const lines = [cache, memBwSchema, ...schemata].filter((line) => line !== '')
  return { closID: orUndefined(closID), schemata: lines, enableMonitoring }
}

function normalizeTimeOffsets(offsets: OciLinux['timeOffsets']): Linux['timeOffsets'] {
  if (offsets === undefined) return undefined
  const clocks = (['monotonic', 'boottime'] as const).flatMap((clock) => {
    const offset = offsets[clock]
    return offset === undefined
      ? []
      : [[clock, { secs: BigInt(offset.secs ?? 0), nanosecs: offset.nanosecs ?? 0 }] as const]
  })
  return clocks.length === 0 ? undefined : Object.fromEntries(clocks)
}

function normalizeDevice(device: NonNullable<OciLinux['devices']>[number], index: number): Device {
  return {
    index,
    type: device.type === 'u' ? 'c' : device.type,
    path: cleanPath(device.path),
    major: device.type === 'p' ? 0 : Number(device.major ?? 0),
    minor: device.type === 'p' ? 0 : Number(device.minor ?? 0),
    fileMode: (device.fileMode ?? 0o666) & 0o777,
    uid: device.uid ?? 0,
    gid: device.gid ?? 0,
  }
}
