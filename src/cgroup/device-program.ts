// A device policy → an eBPF program of type cgroup_device: one test a cell, the most specific first. Pure.

import {
  andImm,
  assemble,
  exit,
  type Instruction,
  ja,
  jneImm,
  jsetImm,
  ldxw,
  mov,
  movImm,
  rshImm,
} from '../bpf/extended.ts'
import { type Label, label } from '../bpf/labels.ts'
import { BPF_DEVCG } from '../linux/bpf-abi.ts'
import { ACCESS, contains, type DeviceCell, type DeviceKind, type DevicePolicy } from './device-policy.ts'

const CONTEXT = 1
const TYPE = 2
const ACCESS_BITS = 3
const MAJOR = 4
const MINOR = 5

const ALL = BPF_DEVCG.ACC_MKNOD | BPF_DEVCG.ACC_READ | BPF_DEVCG.ACC_WRITE

/** @returns bytes for bpf(2) @throws RangeError when there are too many rules for a program's jumps */
export function deviceProgram(policy: DevicePolicy): Uint8Array {
  const items: (Instruction | Label)[] = [
    ldxw(TYPE, CONTEXT, BPF_DEVCG.CTX_ACCESS_TYPE),
    mov(ACCESS_BITS, TYPE),
    rshImm(ACCESS_BITS, 16),
    andImm(TYPE, 0xffff),
    ldxw(MAJOR, CONTEXT, BPF_DEVCG.CTX_MAJOR),
    ldxw(MINOR, CONTEXT, BPF_DEVCG.CTX_MINOR),
    ...kindTests(policy, 'c', BPF_DEVCG.DEV_CHAR),
    ...kindTests(policy, 'b', BPF_DEVCG.DEV_BLOCK),
    label('deny'),
    movImm(0, 0),
    exit(),
  ]
  // The kernel refuses instructions that nothing leads to.
  const allows = items.some((item) => 'to' in item && item.to === 'allow')
  return assemble(allows ? [...items, label('allow'), movImm(0, 1), exit()] : items)
}

function kindTests(policy: DevicePolicy, kind: DeviceKind, number: number): (Instruction | Label)[] {
  const cells = withoutRepeats(policy.filter((cell) => cell.kind === kind))
  const end = `after ${kind}`
  return [jneImm(TYPE, number, end), ...cells.flatMap((cell, index) => cellTest(cell, `${kind}${index}`)), label(end)]
}

function cellTest({ major, minor, allowed }: DeviceCell, name: string): (Instruction | Label)[] {
  const next = `after ${name}`
  return [
    ...(major === undefined ? [] : [jneImm(MAJOR, major, next)]),
    ...(minor === undefined ? [] : [jneImm(MINOR, minor, next)]),
    ...answer(toKernel(allowed)),
    label(next),
  ]
}

/** Allowed when the request has no letter beyond these. */
function answer(allowed: number): Instruction[] {
  if (allowed === 0) return [ja('deny')]
  if (allowed === ALL) return [ja('allow')]
  return [jsetImm(ACCESS_BITS, ALL & ~allowed, 'deny'), ja('allow')]
}

/** Drop a cell when the one that would answer in its place says the same. */
function withoutRepeats(cells: readonly DeviceCell[]): DeviceCell[] {
  const kept: DeviceCell[] = []
  for (const cell of [...cells].reverse()) {
    if (kept.find((outer) => contains(outer, cell))?.allowed !== cell.allowed) kept.unshift(cell)
  }
  return kept
}

function toKernel(letters: number): number {
  return (
    ((letters & ACCESS.r) !== 0 ? BPF_DEVCG.ACC_READ : 0) |
    ((letters & ACCESS.w) !== 0 ? BPF_DEVCG.ACC_WRITE : 0) |
    ((letters & ACCESS.m) !== 0 ? BPF_DEVCG.ACC_MKNOD : 0)
  )
}
