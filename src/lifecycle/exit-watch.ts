// For the annotation runt.exit-record: somebody must be there when a detached container's init ends, and runt is not.

import { EXIT_RECORD_ANNOTATION } from '../config/exit-record.ts'
import { propertyError } from '../errors.ts'
import { isAtLeast, kernelRelease } from '../host/probe.ts'
import { O } from '../linux/open-flags.ts'
import { EXIT_WATCH_SLOTS, lowerExitWatch } from '../lowering/exit-watch.ts'
import { close, open } from '../native/file.ts'
import { syscall } from '../native/syscall.ts'
import { spawnImage } from '../process/init.ts'
import type { Container } from './container.ts'
import { compileHere } from './image.ts'
import type { Store } from './store.ts'

/** Pidfds tell how a process ended. PIDFD_INFO_EXIT */
const OLDEST = [6, 15] as const

/** @throws RuntError where nobody but the parent of a process can learn how it ended */
export function requireExitWatch(): void {
  const release = kernelRelease()
  if (isAtLeast(release, OLDEST)) return
  throw propertyError(
    'host',
    `/annotations/${EXIT_RECORD_ANNOTATION}`,
    `needs Linux ${OLDEST.join('.')}, this is ${release}`,
  )
}

/** Start what waits for init's end and puts it on record. It outlives us. */
export function watchExit(store: Store, { id, pid }: Container): void {
  const plan = lowerExitWatch()
  const pidfd = syscall('pidfd_open', pid, 0)
  const directory = open(store.directory(id), O.PATH | O.DIRECTORY | O.NOFOLLOW)
  try {
    spawnImage('runt:exit', compileHere(plan).bytes, [
      [pidfd, EXIT_WATCH_SLOTS.pidfd],
      [directory, EXIT_WATCH_SLOTS.directory],
    ])
  } finally {
    close(pidfd)
    close(directory)
  }
}
