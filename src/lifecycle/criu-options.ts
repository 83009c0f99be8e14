// What checkpoint and restore ask of CRIU alike: folders, cgroups, the terminal, and what became of it.

import { readHarmless } from '../criu/config-file.ts'
import { errorsIn } from '../criu/log.ts'
import { CGROUP_MODE, type CriuOptions, type CriuResponse } from '../criu/messages.ts'
import type { Criu } from '../criu/program.ts'
import { RuntError } from '../errors.ts'
import { NAMESPACES } from '../linux/namespaces.ts'
import type { Folders } from './criu-folders.ts'
import { type Folder, readEnd } from './criu-images.ts'

export type CgroupMode = keyof typeof CGROUP_MODE

export const CGROUP_MODES = Object.keys(CGROUP_MODE) as CgroupMode[] // its keys are just these

/** Flags that checkpoint and restore have in common. */
export interface CriuFlags {
  /** Absolute: where the images are. */
  readonly imagePath: string
  /** Absolute: where CRIU's log goes; a folder of runt's unless told. */
  readonly workPath: string | undefined
  readonly tcpEstablished: boolean
  readonly extUnixSk: boolean
  readonly shellJob: boolean
  readonly fileLocks: boolean
  readonly autoDedup: boolean
  readonly lazyPages: boolean
  readonly manageCgroupsMode: CgroupMode
}

/** Everything is told: the log is a file, and an error quotes only what it says went wrong. */
const LOG_LEVEL = 4

/** runt doesn't manage network devices: a network namespace is made anew, and set up by hooks, or it is somebody else's. */
const EMPTY_NAMESPACES = NAMESPACES.network.flag

/** @param further from furtherOptions() */
export function commonOptions(flags: CriuFlags, folders: Folders, further: CriuOptions): CriuOptions {
  return {
    images_dir_fd: folders.images.fd,
    work_dir_fd: folders.work.fd,
    log_level: LOG_LEVEL,
    log_file: folders.log,
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
    ...further,
  }
}

/** A file of further options: the administrator's, which CRIU reads; another by the annotation that runc and crun know; or none. */
const CONFIG_ANNOTATION = 'org.criu.config'
const CONFIG_FILE = '/etc/criu/runt.conf'

/** @param annotations of the container @throws RuntError for an option that is not its to choose */
export function furtherOptions(annotations: Readonly<Record<string, string>>): CriuOptions {
  const file = annotations[CONFIG_ANNOTATION]
  if (file === undefined) return { config_file: CONFIG_FILE }
  return file === '' ? {} : readHarmless(file, `annotations[${JSON.stringify(CONFIG_ANNOTATION)}]`)
}

/** CRIU's names for namespaces that it finds and leaves as they are. */
export const EXTERNAL_NAMESPACES = { network: 'extRootNetNS', pid: 'extRootPidNS' } as const

/** @throws RuntError that quotes the log, when CRIU says that it failed */
export function requireSuccess(
  response: CriuResponse,
  what: string,
  { program, version }: Criu,
  { work, log }: Pick<Folders, 'work' | 'log'>,
): void {
  if (response.success === true) return
  const logged = errorsIn(endOfLog(work, log))
  const errors = logged.length > 0 ? logged : errorsIn(response.cr_errmsg ?? '')
  const quoted = errors.length === 0 ? 'it does not say why' : errors.join('; ')
  const path = `${work.path}/${log}`
  throw new RuntError('criu', `${what}: criu failed: ${quoted}`, {
    hint: `${program} ${version.join('.')} tells more in ${path}`,
    data: { log: path },
  })
}

/** Of a log, what is read: the last errors stand at its end. */
const MOST_LOG = 1 << 20

function endOfLog(work: Folder, log: string): string {
  return new TextDecoder().decode(readEnd(work, log, MOST_LOG))
}
