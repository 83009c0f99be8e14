// The container's cgroup, by the image itself: cgroup/fs.ts as steps, for a group that is not there yet.

import { INSTRUCTION_SIZE } from '../../bpf/extended.ts'
import { BPF, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI, BPF_PROG_TYPE_CGROUP_DEVICE } from '../../linux/bpf-abi.ts'
import { encodeName } from '../../linux/names.ts'
import { AT, O } from '../../linux/open-flags.ts'
import { u32, u64 } from '../../plan/builder.ts'
import type { Context, ProcessContext } from '../context.ts'
import type { CgroupWork } from './facts.ts'
import type { Undo } from './undo.ts'

const VALUE_ROOM = 4096

export function lowerCgroupWork(
  context: Context,
  { folders, checks, copies, knobs, devices }: CgroupWork,
  undo: Undo,
): void {
  const { plan } = context
  plan.section('/linux/cgroupsPath', undefined, () => {
    for (const folder of folders) {
      plan.syscall('mkdirat', [AT.FDCWD, folder, 0o755], { about: folder })
      undo.onFailure('remove_cgroup', () => plan.syscall('unlinkat', [AT.FDCWD, folder, AT.REMOVEDIR]))
    }
    for (const check of checks) lowerCheck(context, check, undo)
    for (const { from, to } of copies) {
      const room = plan.buffer('value', VALUE_ROOM)
      const file = open(context, from, O.RDONLY)
      const length = plan.syscall('read', [file, room.address, VALUE_ROOM], { about: from })
      plan.syscall('close', [file])
      write(context, to, room.address, length)
    }
  })
  plan.section('/linux/resources', undefined, () => {
    for (const { path, text } of knobs) write(context, path, plan.string(text).address, byteLength(text))
    if (devices !== undefined) lowerDeviceProgram(context, devices)
  })
}

/** A frozen cgroup would stop P1 as it enters, and us in waiting for it: the engine says so. */
export function lowerCheck(
  context: ProcessContext,
  { path, position, byte }: CgroupWork['checks'][number],
  undo: Undo,
): void {
  const { plan } = context
  const file = open(context, path, O.RDONLY)
  const found = plan.struct('byte', [u64(0)])
  plan.syscall('pread64', [file, found.address, 1, position], { about: path })
  plan.branch(found.field(0, 1), 'ne', byte.charCodeAt(0), undo.now)
  plan.syscall('close', [file])
}

function byteLength(text: string): number {
  return encodeName(text).length
}

function open({ plan }: ProcessContext, path: string, flags: number): ReturnType<Context['plan']['syscall']> {
  return plan.syscall('openat', [AT.FDCWD, path, { kind: 'open-flags', flags: flags | O.CLOEXEC }, 0], { about: path })
}

type Arguments = Parameters<Context['plan']['syscall']>[1]

function write(context: Context, path: string, address: Arguments[number], length: Arguments[number]): void {
  const { plan } = context
  const file = open(context, path, O.WRONLY | O.TRUNC)
  plan.syscall('write', [file, address, length], { about: path })
  plan.syscall('close', [file])
}

/** bpf(2): load the program, attach it to the folder. */
function lowerDeviceProgram(context: Context, { folder, program }: NonNullable<CgroupWork['devices']>): void {
  const { plan } = context
  const instructions = plan.constant(`device program of ${folder}`, [program])
  const load = plan.constant('bpf_attr{prog_load}', [
    u32(BPF_PROG_TYPE_CGROUP_DEVICE),
    u32(program.length / INSTRUCTION_SIZE),
    { kind: 'pointer', to: instructions.address },
    { kind: 'pointer', to: plan.string('Apache-2.0').address },
    ...[0, 0, 0, 0, 0].map(u64),
    u32(0),
    u32(BPF_CGROUP_DEVICE),
  ])
  const loaded = plan.syscall('bpf', [BPF.PROG_LOAD, load.address, 72], { about: folder, name: 'program' })
  const directory = open(context, folder, O.RDONLY | O.DIRECTORY)
  const attach = plan.struct('bpf_attr{prog_attach}', [0, 0, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI].map(u32))
  plan.store(attach.address, 4, directory)
  plan.store(attach.at(4), 4, loaded)
  plan.syscall('bpf', [BPF.PROG_ATTACH, attach.address, 16], { about: folder })
  plan.syscall('close', [loaded])
  plan.syscall('close', [directory])
}
