// What a restore is told.

import type { CgroupOptions } from './cgroup.ts'
import type { CriuFlags } from './criu-options.ts'
import type { Right } from './saved-rights.ts'

export interface RestoreOptions extends CriuFlags, CgroupOptions {
  readonly id: string
  readonly bundle: string
  readonly consoleSocket: string | undefined
  readonly pidFile: string | undefined
  /** Don't wait for its end. */
  readonly detach: boolean
  /** Don't become the parent of the container's orphans. */
  readonly noSubreaper: boolean
  /** Let CRIU pivot where the root is a ramdisk. */
  readonly noPivot: boolean
  /** "TYPE:NAME", in place of the one that the processes had. */
  readonly lsmProfile: string | undefined
  /** SELinux context of mounts, in place of theirs. */
  readonly lsmMountContext: string | undefined
  /** Rights that processes are to have as saved, though the config is stricter. */
  readonly asSaved: readonly Right[]
}

export const RESTORE_LOG = 'restore.log'
