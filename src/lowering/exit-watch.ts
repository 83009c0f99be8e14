// A process that outlives runt to see how a container's init ends: an image of its own, a few pages of memory, asleep until
// the kernel wakes it. It has init's pidfd and the container's folder, and nothing else of anybody's.

import { ALL_FDS, O } from '../linux/open-flags.ts'
import { PIDFD_GET_INFO, PIDFD_INFO, PIDFD_INFO_EXIT } from '../linux/pidfd.ts'
import { SIGSET_BYTES } from '../linux/signals.ts'
import { PlanBuilder, u32, u64 } from '../plan/builder.ts'
import { EXIT_FILE } from '../plan/card.ts'
import type { Plan } from '../plan/step.ts'

/** The descriptors that it is started with. */
export const EXIT_WATCH_SLOTS = { pidfd: 3, directory: 4 } as const

const FIRST_OTHER = 5
const STDERR = 2
const WAIT_STATUS_BYTES = 4

/** The plan: wait until init has been reaped, then leave its wait status in the folder, if that is there still. */
export function lowerExitWatch(): Plan {
  const { pidfd, directory } = EXIT_WATCH_SLOTS
  const plan = new PlanBuilder(STDERR)
  // Whoever reads runt's streams to their end is not to wait for this.
  plan.syscall('close_range', [0, STDERR, 0])
  plan.syscall('close_range', [FIRST_OTHER, ALL_FDS, 0])
  plan.syscall('setsid', [])
  // No events: what is always told is the hang-up, which comes when init has been reaped. Only then the kernel tells how it ended.
  const poll = plan.struct('pollfd', [u32(pidfd), u32(0)])
  plan.syscall('ppoll', [poll.address, 1, 0, 0, SIGSET_BYTES])
  const info = plan.struct('pidfd_info', [u64(PIDFD_INFO_EXIT), new Uint8Array(PIDFD_INFO.size - 8)])
  plan.syscall('ioctl', [pidfd, PIDFD_GET_INFO, info.address])
  const known = plan.label('known')
  plan.branch(info.field(PIDFD_INFO.mask, 4, PIDFD_INFO_EXIT), 'ne', 0, known)
  plan.exit(1)
  plan.place(known)
  const flags = { kind: 'open-flags', flags: O.WRONLY | O.CREAT | O.TRUNC | O.NOFOLLOW | O.CLOEXEC } as const
  const beside = `${EXIT_FILE}.tmp`
  const file = plan.syscall('openat', [directory, beside, flags, 0o600], { name: 'file' })
  plan.syscall('write', [file, info.at(PIDFD_INFO.exitCode), WAIT_STATUS_BYTES])
  plan.syscall('renameat2', [directory, beside, directory, EXIT_FILE, 0])
  plan.exit(0)
  return plan.finish()
}
