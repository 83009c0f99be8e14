// A profile → the program that seccomp(2) loads. In: linux.seccomp, checked. Out: classic BPF that decides as the profile
// says. Where the specification leaves something open it is as runc has it.

import type { Seccomp } from '../config/types.ts'
import { propertyError, RuntError } from '../errors.ts'
import { ERRNO } from '../linux/errno.ts'
import { BPF_MAXINSNS, SECCOMP_RET } from '../linux/seccomp-abi.ts'
import { debug } from '../log.ts'
import type { Comparison, Filter, Libseccomp } from '../native/libseccomp.ts'
import { enosysProgram } from './enosys.ts'
import { ACTIONS, ARCHITECTURES, type MachineName, OPERATORS, X32 } from './names.ts'
import { shorten } from './shorten.ts'

type Rule = NonNullable<Seccomp['syscalls']>[number]

/** With more names than this a tree is faster than a row, and libseccomp's trees are right. */
const LONGEST_ROW = 32
const INSTRUCTION = 8

/**
 * @param machine the one that runs us: libseccomp's own
 * @throws RuntError naming the rule that can't be had
 */
export function compileProfile(seccomp: Seccomp, library: Libseccomp, machine: MachineName): Uint8Array {
  const { defaultAction, defaultErrnoRet, syscalls: rules = [] } = seccomp
  const otherwise = actionNumber(defaultAction, defaultErrnoRet)
  const machines = machinesOf(seccomp, machine)
  const newest = new Map<number, number>()
  using filter = library.filter(otherwise)
  for (const other of machines.slice(1)) must(filter.addMachine(other), 'architectures', library)
  if (rules.reduce((sum, { names }) => sum + names.length, 0) > LONGEST_ROW) {
    must(filter.useBinaryTree(), 'syscalls', library)
  }
  for (const [index, rule] of rules.entries()) {
    const action = actionNumber(rule.action, rule.errnoRet)
    for (const name of rule.names) {
      const [call = -1, ...others] = machines.map((each) => library.resolve(name, each))
      for (const [place, number] of [call, ...others].entries()) note(newest, machines[place] ?? 0, number)
      // config-linux.md says nothing of names that nobody knows; profiles are written for many versions of libseccomp.
      if (call === UNKNOWN) debug(`linux.seccomp.syscalls[${index}]: libseccomp ${library.version} has no ${name}`)
      else if (action !== otherwise) addRules(filter, rule, action, call, `syscalls[${index}]: ${name}`, library)
    }
  }
  const whole = join(isPermissive(otherwise) ? new Uint8Array(0) : enosysProgram(newest), filter.export())
  const program = shorten(
    whole,
    machines.filter((each) => each !== X32),
  )
  const length = program.length / INSTRUCTION
  if (length <= BPF_MAXINSNS) return program
  throw propertyError(
    'host',
    '/linux/seccomp',
    `a filter of ${length} instructions: the kernel takes ${BPF_MAXINSNS}`,
    {
      hint: 'fewer conditions on arguments, or fewer architectures, make it shorter',
    },
  )
}

/** What resolve() gives for a name that no machine has. */
const UNKNOWN = -1

/** An errno, or a message to the tracer, is EPERM when the profile gives none. */
function actionNumber(action: Rule['action'], number: number | undefined): number {
  const carries = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE'
  return (ACTIONS[action] | (carries ? (number ?? ERRNO.EPERM) : 0)) >>> 0
}

/** The machine's own comes first, asked for or not: libseccomp puts it into every filter. */
function machinesOf({ architectures = [] }: Seccomp, machine: MachineName): number[] {
  const possible = ARCHITECTURES[machine]
  const [own = 0] = Object.values(possible)
  return [...new Set([own, ...architectures.flatMap((name) => possible[name] ?? [])])]
}

function note(newest: Map<number, number>, machine: number, number: number): void {
  if (number >= 0) newest.set(machine, Math.max(newest.get(machine) ?? 0, number))
}

/** Conditions on different arguments must all hold. Several on one argument are rules of their own: any may hold. */
function addRules(
  filter: Filter,
  { args = [] }: Rule,
  action: number,
  call: number,
  about: string,
  library: Libseccomp,
): void {
  const comparisons = args.map(
    ({ index, op, value, valueTwo = 0 }): Comparison => ({
      index,
      op: OPERATORS[op],
      a: BigInt(value),
      b: BigInt(valueTwo),
    }),
  )
  const apart = new Set(comparisons.map(({ index }) => index)).size < comparisons.length
  for (const conditions of apart ? comparisons.map((each) => [each]) : [comparisons]) {
    must(filter.addRule(action, call, conditions), about, library)
  }
}

/** A program that is let go on by default knows what to do with new calls; so does a tracer. */
function isPermissive(action: number): boolean {
  const kind = (action & 0xffff0000) >>> 0
  return kind === SECCOMP_RET.ALLOW || kind === SECCOMP_RET.LOG || kind === SECCOMP_RET.TRACE || action === ENOSYS
}

const ENOSYS = SECCOMP_RET.ERRNO | ERRNO.ENOSYS

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length)
  joined.set(first)
  joined.set(second, first.length)
  return joined
}

function must(failed: string | undefined, about: string, { version }: Libseccomp): void {
  if (failed === undefined) return
  throw new RuntError('host', `linux.seccomp.${about}: libseccomp ${version} refuses it: ${failed}`)
}
