// What a filter decides before it looks at a call's arguments, as a table: in all of 32 bits of number, for some machines.

import { SECCOMP_DATA } from '../linux/seccomp-abi.ts'

/** A program in columns. */
export interface Columns {
  readonly count: number
  readonly code: Uint16Array
  /** Instructions to skip when a condition holds, and when not. */
  readonly jt: Uint8Array
  readonly jf: Uint8Array
  readonly k: Uint32Array
}

/** The opcodes by which libseccomp's programs, and our own, decide about a call's number. */
export const CODE = { LOAD: 0x20, JUMP: 0x05, EQUAL: 0x15, GREATER: 0x25, NOT_LESS: 0x35, RETURN: 0x06 } as const

const SIZE = 8

export function columnsOf(program: Uint8Array): Columns {
  const view = new DataView(program.buffer, program.byteOffset, program.length)
  const count = program.length / SIZE
  const columns = {
    count,
    code: new Uint16Array(count),
    jt: new Uint8Array(count),
    jf: new Uint8Array(count),
    k: new Uint32Array(count),
  }
  for (let at = 0; at < count; at++) {
    columns.code[at] = view.getUint16(SIZE * at, true)
    columns.jt[at] = view.getUint8(SIZE * at + 2)
    columns.jf[at] = view.getUint8(SIZE * at + 3)
    columns.k[at] = view.getUint32(SIZE * at + 4, true)
  }
  return columns
}

/** From this number on, up to where the next range begins. */
export interface Range {
  readonly first: number
  readonly decision: Decision
}

/** What is returned; or the instruction that loads something of the call, from which on it depends on that. */
export type Decision = { readonly returns: number } | { readonly goesTo: number }

export interface Table {
  /** Ranges that together are all numbers, by AUDIT_ARCH. */
  readonly machines: ReadonlyMap<number, readonly Range[]>
  /** For calls of any other machine. */
  readonly other: number
}

/** @returns undefined for a program that decides in other ways than by comparing */
export function decisionsOf(program: Columns, machines: readonly number[]): Table | undefined {
  const edges = edgesOf(program)
  const other = otherMachines(program, edges, machines)
  if (other === undefined) return undefined
  const table = new Map<number, readonly Range[]>()
  for (const machine of machines) {
    const ranges: Range[] = []
    for (const first of edges) {
      const decision = decide(program, machine, first)
      if (decision === undefined) return undefined
      const last = ranges.at(-1)
      if (last === undefined || !same(last.decision, decision)) ranges.push({ first, decision })
    }
    table.set(machine, ranges)
  }
  return { machines: table, other }
}

/** Numbers at which a comparison may come out differently than for the number before. */
function edgesOf({ count, code, k }: Columns): number[] {
  const edges = new Set([0])
  for (let at = 0; at < count; at++) {
    const constant = k[at] ?? 0
    if (code[at] !== CODE.EQUAL && code[at] !== CODE.GREATER && code[at] !== CODE.NOT_LESS) continue
    edges.add(constant)
    if (constant < 0xffffffff) edges.add(constant + 1)
  }
  return [...edges].sort((one, other) => one - other)
}

/** @returns undefined when it isn't one and the same answer for all of them */
function otherMachines(program: Columns, edges: readonly number[], machines: readonly number[]): number | undefined {
  let answer: number | undefined
  for (const machine of edges) {
    if (machines.includes(machine)) continue
    const decision = decide(program, machine, undefined)
    if (decision === undefined || !('returns' in decision)) return undefined
    if (answer !== undefined && answer !== decision.returns) return undefined
    answer = decision.returns
  }
  return answer
}

/** @param number undefined when it must not matter */
function decide(
  { count, code, jt, jf, k }: Columns,
  machine: number,
  number: number | undefined,
): Decision | undefined {
  let a = 0
  for (let at = 0; at < count; at++) {
    const constant = k[at] ?? 0
    const [yes, no] = [jt[at] ?? 0, jf[at] ?? 0]
    switch (code[at]) {
      case CODE.LOAD:
        if (constant === SECCOMP_DATA.arch) a = machine
        else if (constant !== SECCOMP_DATA.nr) return { goesTo: at }
        else if (number === undefined) return undefined
        else a = number
        break
      case CODE.JUMP:
        at += constant
        break
      case CODE.EQUAL:
        at += a === constant ? yes : no
        break
      case CODE.GREATER:
        at += a > constant ? yes : no
        break
      case CODE.NOT_LESS:
        at += a >= constant ? yes : no
        break
      case CODE.RETURN:
        return { returns: constant }
      default:
        return undefined
    }
  }
  return undefined
}

export function same(one: Decision, other: Decision): boolean {
  return 'returns' in one
    ? 'returns' in other && one.returns === other.returns
    : 'goesTo' in other && one.goesTo === other.goesTo
}
