// Device rules onto a cgroup: the devices controller of v1, or a BPF program on the unified hierarchy.

import { INSTRUCTION_SIZE } from '../bpf/extended.ts'
import type { DeviceRule } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import {
  BPF,
  BPF_F_ALLOW_MULTI,
  BPF_QUERY_COUNT,
  bpfAttachAttr,
  bpfIdAttr,
  bpfLoadAttr,
  bpfQueryAttr,
} from '../linux/bpf-abi.ts'
import { ERRNO } from '../linux/errno.ts'
import { O } from '../linux/open-flags.ts'
import { close, open } from '../native/file.ts'
import { Arena } from '../native/memory.ts'
import { failedWith, SyscallError, trySyscall } from '../native/syscall.ts'
import { DEFAULT_DEVICE_RULES, devicePolicy, exceptionsFile, v1DeviceList } from './device-policy.ts'
import { deviceProgram } from './device-program.ts'
import { describeWrite, tryWriteLines } from './knob.ts'

const POINTER = '/linux/resources/devices'

/**
 * Deny everything, then the config's rules in order, then the default ones: v1.
 * Not for a cgroup in use: between the writes its processes have no devices.
 * @param rootless go on without rules when this user may not write any: it takes CAP_SYS_ADMIN
 * @throws RuntError 'cgroup'
 */
export function writeV1Devices(
  directory: string,
  rules: readonly DeviceRule[],
  { rootless }: Pick<AttachOptions, 'rootless'> = { rootless: false },
): void {
  const list = v1DeviceList(devicePolicy([...rules, ...DEFAULT_DEVICE_RULES]))
  if (!writeDeviceLines(`${directory}/${list.start}`, ['a'], { rootless })) return
  if (list.exceptions.length > 0) writeDeviceLines(`${directory}/${exceptionsFile(list)}`, list.exceptions)
}

/**
 * One write(2) each.
 * @returns false when we may not
 * @throws RuntError, also for that unless rootless
 */
export function writeDeviceLines(path: string, lines: readonly string[], { rootless } = { rootless: false }): boolean {
  const { result, line } = tryWriteLines(path, lines)
  if (rootless && result === -ERRNO.EPERM) return false
  if (result < 0) throw new RuntError('cgroup', `${POINTER}: ${describeWrite(path, line, result)}`)
  return true
}

export interface AttachOptions {
  /** runt has just made the folder: there can't be an older program. */
  readonly fresh: boolean
  /** Go on without a program when this user may not load one. */
  readonly rootless: boolean
}

/**
 * The same as a BPF program, v2. The new one is attached before older ones go, so that no moment is without.
 * @throws RuntError 'cgroup'
 */
export function attachDeviceProgram(
  directory: string,
  rules: readonly DeviceRule[],
  { fresh, rootless }: AttachOptions,
): void {
  const bytes = deviceProgram(devicePolicy([...rules, ...DEFAULT_DEVICE_RULES]))
  const folder = open(directory, O.RDONLY | O.DIRECTORY)
  let program = -1
  try {
    const older = fresh ? [] : attachedPrograms(folder)
    program = loadProgram(bytes)
    bpf('PROG_ATTACH', bpfAttachAttr(folder, program, BPF_F_ALLOW_MULTI))
    for (const id of older) detach(folder, id)
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error
    if (rootless && failedWith(error, 'EPERM', 'EACCES')) return
    throw new RuntError('cgroup', `${POINTER}: device program for ${directory}: ${error.message}`, { cause: error })
  } finally {
    if (program >= 0) close(program)
    close(folder)
  }
}

const LOG_SIZE = 65536

/** @returns a descriptor @throws SyscallError, RuntError with the verifier's last words */
function loadProgram(bytes: Uint8Array): number {
  using arena = new Arena(bytes.length + LOG_SIZE + 4096)
  const program = {
    instructions: arena.place(bytes),
    count: bytes.length / INSTRUCTION_SIZE,
    license: arena.placeString('Apache-2.0'),
  }
  const attr = bpfLoadAttr({ ...program, log: undefined })
  const fd = trySyscall('bpf', BPF.PROG_LOAD, attr, attr.length)
  if (fd >= 0) return fd
  const log = arena.reserve(LOG_SIZE)
  const again = bpfLoadAttr({ ...program, log: { address: log, size: LOG_SIZE } })
  const second = trySyscall('bpf', BPF.PROG_LOAD, again, again.length)
  if (second >= 0) return second
  const text = new TextDecoder().decode(arena.read(log, LOG_SIZE)).replace(/\0.*/s, '').trim()
  const words = text.split('\n').slice(-3).join('; ')
  throw new SyscallError('bpf', -fd, words === '' ? 'BPF_PROG_LOAD' : `BPF_PROG_LOAD (${words})`)
}

/** More can't be attached to one cgroup (BPF_CGROUP_MAX_PROGS). */
const MAX_PROGRAMS = 64

function attachedPrograms(folder: number): number[] {
  using arena = new Arena(MAX_PROGRAMS * 4)
  const ids = arena.reserve(MAX_PROGRAMS * 4)
  const attr = bpfQueryAttr(folder, ids, MAX_PROGRAMS)
  bpf('PROG_QUERY', attr)
  const count = new DataView(attr.buffer).getUint32(BPF_QUERY_COUNT, true)
  const view = new DataView(arena.read(ids, count * 4).buffer)
  return Array.from({ length: count }, (_, index) => view.getUint32(index * 4, true))
}

function detach(folder: number, id: number): void {
  const program = bpf('PROG_GET_FD_BY_ID', bpfIdAttr(id))
  try {
    bpf('PROG_DETACH', bpfAttachAttr(folder, program, 0))
  } finally {
    close(program)
  }
}

function bpf(command: keyof typeof BPF, attr: Uint8Array): number {
  const result = trySyscall('bpf', BPF[command], attr, attr.length)
  if (result < 0) throw new SyscallError('bpf', -result, `BPF_${command}`)
  return result
}
