// Descriptors at the image's start and the FIFOs of the gate, made while host paths still mean the host's.

import { ALL_FDS, AT, CLOSE_RANGE_CLOEXEC, O, S_IF } from '../linux/open-flags.ts'
import type { Operand, Value } from '../plan/step.ts'
import type { Context, ProcessContext } from './context.ts'

/** Whatever the caller left open closes on exec, but for what the container is to have (CVE-2024-21626). */
export function lowerCloseOnExec({ plan, slots }: ProcessContext): void {
  plan.syscall('close_range', [slots.channel, ALL_FDS, CLOSE_RANGE_CLOEXEC])
}

/** Something stands in every fixed slot from the start, so that no temporary descriptor gets its number. */
export function lowerReserveSlots({ plan, slots }: ProcessContext): void {
  const cloexec = { kind: 'open-flags', flags: O.CLOEXEC } as const
  for (let slot = slots.root; slot < slots.free; slot++) plan.syscall('dup3', [slots.channel, slot, cloexec])
}

/** Temporary descriptors go; the fixed slots stay. */
export function lowerCloseTemporary({ plan, slots }: ProcessContext): void {
  plan.syscall('close_range', [slots.free, ALL_FDS, 0])
}

/**
 * The gate is a FIFO that the container's init alone holds open: a writer gets in as long as it waits, ENXIO once the
 * program runs or is gone. That is how `created` is told from `running`, with nothing to be believed.
 */
export function lowerGateFifos(context: Context): void {
  makeFifo(context, 'gate', context.slots.gate)
  makeFifo(context, 'verdict', context.slots.verdict)
}

function makeFifo({ plan, facts }: Context, name: string, slot: number): void {
  const path = `${facts.stateDirectory}/${name}`
  plan.syscall('mknodat', [AT.FDCWD, path, S_IF.FIFO | 0o600, 0], { about: path })
  const flags = { kind: 'open-flags', flags: O.RDWR | O.NOFOLLOW | O.CLOEXEC } as const
  moveToSlot({ plan }, plan.syscall('openat', [AT.FDCWD, path, flags, 0], { name, about: path }), slot)
}

/** Give a descriptor its fixed number; the old one is temporary. */
export function moveToSlot({ plan }: Pick<ProcessContext, 'plan'>, fd: Operand, slot: number): void {
  plan.syscall('dup3', [fd, slot, { kind: 'open-flags', flags: O.CLOEXEC }])
}

/** With no more mounts than these, temporary descriptors are left to be closed all at once. */
const FEW_MOUNTS = 100

/** Close what a mount was made by, where there are so many of them that descriptors could run out. */
export function closeIfMany({ plan, config }: Context, ...descriptors: readonly Value[]): void {
  if (config.mounts.length > FEW_MOUNTS) for (const fd of descriptors) plan.syscall('close', [fd])
}
