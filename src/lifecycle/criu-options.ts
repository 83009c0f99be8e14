// What checkpoint and restore ask of CRIU alike: folders, cgroups, the terminal, and what became of it.

import { errorsIn } from '../criu/log.ts'
import { CGROUP_MODE, type CriuOptions, type CriuResponse } from '../criu/messages.ts'
import type { Criu } from '../criu/program.ts'
import { RuntError } from '../errors.ts'
import { NAMESPACES } from '../linux/namespaces.ts'
import { O } from '../linux/open-flags.ts'
import { close, makeDirectories, open, readFileIfPresent, realPath } from '../native/file.ts'
import { SyscallError } from '../native/syscall.ts'

export type CgroupMode = keyof typeof CGROUP_MODE

export const CGROUP_MODES = Object.keys(CGROUP_MODE) as CgroupMode[] // its keys are just these

/** Flags that checkpoint and restore have in common. */
export interface CriuFlags {
  /** Absolute: where the images are. */
  readonly imagePath: string
  /** Absolute: where CRIU's log goes; the images' folder unless told. */
  readonly workPath: string | undefined
  readonly tcpEstablished: boolean
  readonly extUnixSk: boolean
  readonly shellJob: boolean
  readonly fileLocks: boolean
  readonly autoDedup: boolean
  readonly lazyPages: boolean
  readonly manageCgroupsMode: CgroupMode
}

/** The folders of one call, as descriptors: CRIU opens them by our pid. */
export interface Folders extends Disposable {
  readonly images: number
  readonly work: number
  /** Of CRIU's log. */
  readonly log: string
}

/**
 * @param log file name of the log
 * @param viewer a process that is to see them in its mount namespace, where CRIU mounts things in them
 * @throws RuntError when there is no such folder; only a missing work folder is made
 */
export function openFolders({ imagePath, workPath }: CriuFlags, log: string, viewer?: number): Folders {
  const root = viewer === undefined ? '' : `/proc/${viewer}/root`
  const images = openFolder(imagePath, root)
  let work: number | undefined
  try {
    if (workPath !== undefined) makeFolder(workPath)
    work = openFolder(workPath ?? imagePath, root)
  } finally {
    if (work === undefined) close(images)
  }
  return {
    images,
    work,
    log: `${workPath ?? imagePath}/${log}`,
    [Symbol.dispose]() {
      close(images)
      close(work)
    },
  }
}

/** A link in the path, as in containerd's work folders, would lead from the root of another back into our own mounts. */
function openFolder(path: string, root: string): number {
  try {
    return open(root === '' ? path : `${root}${realPath(path)}`, O.RDONLY | O.DIRECTORY)
  } catch (cause) {
    throw folderError(path, cause)
  }
}

/** Memory of a container is nobody else's affair. */
export function makeFolder(path: string): void {
  try {
    makeDirectories(path, 0o700)
  } catch (cause) {
    throw folderError(path, cause)
  }
}

function folderError(path: string, cause: unknown): RuntError {
  if (!(cause instanceof SyscallError)) throw cause
  return new RuntError('criu', cause.message.includes(path) ? cause.message : `${path}: ${cause.message}`, { cause })
}

/** Everything is told: the log is a file, and an error quotes only what it says went wrong. */
const LOG_LEVEL = 4

/** runt doesn't manage network devices: a network namespace is made anew, and set up by hooks, or it is somebody else's. */
const EMPTY_NAMESPACES = NAMESPACES.network.flag

/** @param annotations of the container */
export function commonOptions(
  flags: CriuFlags,
  folders: Folders,
  annotations: Readonly<Record<string, string>>,
): CriuOptions {
  return {
    images_dir_fd: folders.images,
    work_dir_fd: folders.work,
    log_level: LOG_LEVEL,
    log_file: folders.log.slice(folders.log.lastIndexOf('/') + 1),
    notify_scripts: true,
    orphan_pts_master: true,
    manage_cgroups: true,
    manage_cgroups_mode: CGROUP_MODE[flags.manageCgroupsMode],
    empty_ns: EMPTY_NAMESPACES,
    tcp_established: flags.tcpEstablished,
    ext_unix_sk: flags.extUnixSk,
    shell_job: flags.shellJob,
    file_locks: flags.fileLocks,
    auto_dedup: flags.autoDedup,
    lazy_pages: flags.lazyPages,
    config_file: configFile(annotations),
  }
}

/** A file of further options for CRIU: this one, another by the annotation that runc and crun know as well, or none. */
const CONFIG_ANNOTATION = 'org.criu.config'
const CONFIG_FILE = '/etc/criu/runt.conf'

function configFile(annotations: Readonly<Record<string, string>>): string | undefined {
  const file = annotations[CONFIG_ANNOTATION] ?? CONFIG_FILE
  return file === '' ? undefined : file
}

/** CRIU's names for namespaces that it finds and leaves as they are. */
export const EXTERNAL_NAMESPACES = { network: 'extRootNetNS', pid: 'extRootPidNS' } as const

/** @throws RuntError that quotes the log, when CRIU says that it failed */
export function requireSuccess(
  response: CriuResponse,
  what: string,
  { program, version }: Criu,
  { log }: Pick<Folders, 'log'>,
): void {
  if (response.success === true) return
  const logged = errorsIn(readFileIfPresent(log) ?? '')
  const errors = logged.length > 0 ? logged : errorsIn(response.cr_errmsg ?? '')
  const quoted = errors.length === 0 ? 'it does not say why' : errors.join('; ')
  throw new RuntError('criu', `${what}: criu failed: ${quoted}`, {
    hint: `${program} ${version.join('.')} tells more in ${log}`,
    data: { log },
  })
}
