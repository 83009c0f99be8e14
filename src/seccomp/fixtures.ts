// Test-only: system calls as a filter sees them, and what it says.

import { runClassic } from '../bpf/classic-interpreter.ts'
import { AUDIT_ARCH, SECCOMP_DATA, SECCOMP_RET } from '../linux/seccomp-abi.ts'

export interface Call {
  readonly machine?: number
  readonly number: number
  readonly args?: readonly bigint[]
}

/** struct seccomp_data */
export function callData({ machine = AUDIT_ARCH.X86_64, number, args = [] }: Call): Uint8Array {
  const data = new DataView(new ArrayBuffer(SECCOMP_DATA.size))
  data.setUint32(SECCOMP_DATA.nr, number, true)
  data.setUint32(SECCOMP_DATA.arch, machine, true)
  for (const [index, arg] of args.entries()) data.setBigUint64(SECCOMP_DATA.args + 8 * index, arg, true)
  return new Uint8Array(data.buffer)
}

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(SECCOMP_RET).map(([name, number]) => [number as number, name]),
)

/** "ALLOW", "ERRNO 38": what a filter says of a call. */
export function verdict(program: Uint8Array, call: Call): string {
  const result = runClassic(program, callData(call))
  const name = NAMES.get((result & 0xffff0000) >>> 0) ?? `${result}`
  const number = result & 0xffff
  return number === 0 && !name.startsWith('ERRNO') && !name.startsWith('TRACE') ? name : `${name} ${number}`
}
