// The forms in which the kernel writes what a cgroup has used. A file that isn't there says nothing, and counts as 0.

import { cpuList } from '../linux/cpu-list.ts'
import { readFile } from '../native/file.ts'
import { failedWith } from '../native/syscall.ts'

/** What "max" is among numbers: there is no limit. */
export const UNLIMITED = 0xffffffffffffffffn

/** @returns '' when the file isn't there, the cgroup is gone, or the kernel keeps no such account */
export function textOf(path: string): string {
  try {
    return readFile(path)
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENOTDIR', 'ENODEV', 'EOPNOTSUPP')) return ''
    throw error
  }
}

/** "17", or "max". */
export function numberOf(path: string): bigint {
  return parseNumber(textOf(path).trim())
}

function parseNumber(word: string): bigint {
  if (word === 'max') return UNLIMITED
  return /^-?\d+$/.test(word) ? BigInt(word) : 0n
}

/** Lines of "name 17". */
export function tableOf(path: string): ReadonlyMap<string, bigint> {
  const rows = textOf(path)
    .split('\n')
    .map((line) => line.split(' '))
    .filter((words) => words.length === 2)
  return new Map(rows.map(([name = '', value = '']) => [name, parseNumber(value)]))
}

/** "17 4 0" */
export function numbersOf(path: string): bigint[] {
  return textOf(path)
    .split(/\s+/)
    .filter((word) => word !== '')
    .map(parseNumber)
}

/** "0-2,7": a list of CPUs or memory nodes; an empty one, and what is none, has no members. cpuset(7) */
export function membersOf(path: string): number[] {
  return cpuList(textOf(path)) ?? []
}

/** Lines of "name key=17 key=4", in their order; a name is a device. */
export function keyedLinesOf(path: string): { readonly name: string; readonly values: ReadonlyMap<string, bigint> }[] {
  const lines = textOf(path).split('\n').filter(Boolean)
  return lines.map((line) => {
    const [name = '', ...pairs] = line.split(' ')
    const entries = pairs.map((pair): [string, bigint] => {
      const [key = '', value = ''] = pair.split('=')
      return [key, parseNumber(value)]
    })
    return { name, values: new Map(entries) }
  })
}

export interface Pressure {
  readonly avg10: number
  readonly avg60: number
  readonly avg300: number
  /** Microseconds. */
  readonly total: bigint
}

export interface PressureStats {
  readonly some: Pressure
  readonly full: Pressure
}

const NO_PRESSURE: Pressure = { avg10: 0, avg60: 0, avg300: 0, total: 0n }

/** cpu.pressure, memory.pressure, io.pressure. @returns undefined on kernels that don't measure it. accounting/psi.rst */
export function pressureOf(path: string): PressureStats | undefined {
  const text = textOf(path)
  if (text === '') return undefined
  const read = (kind: string): Pressure => {
    const line = new RegExp(`^${kind} avg10=(\\S+) avg60=(\\S+) avg300=(\\S+) total=(\\d+)$`, 'm').exec(text)
    if (line === null) return NO_PRESSURE
    const [, avg10, avg60, avg300, total = '0'] = line
    return { avg10: Number(avg10), avg60: Number(avg60), avg300: Number(avg300), total: BigInt(total) }
  }
  return { some: read('some'), full: read('full') }
}

/** What is left out when it is 0. */
export function some(value: bigint): bigint | undefined {
  return value === 0n ? undefined : value
}
