// The plan: what the kernel will be asked, in order, as data. README.md beside this file is its reference.

import type { ErrnoName } from '../linux/errno.ts'
import type { SyscallName } from '../linux/syscalls.ts'

/** Result of a system call: a 64-bit slot in the image's memory. On an ignored error it holds -errno. */
export interface Value {
  readonly kind: 'value'
  readonly id: number
  /** What it is, for the printed plan: rootfs, proc … */
  readonly name: string
}

/** Where branches and errors go on. */
export interface Label {
  readonly kind: 'label'
  readonly id: number
  readonly name: string
}

/** An address inside one of the plan's data objects. */
export interface Address {
  readonly kind: 'address'
  readonly data: DataId
  readonly offset: number
}

/** How many bytes a number in memory has. */
export type Width = 1 | 2 | 4 | 8

/** A number read from a data object when the step runs; little-endian, zero-extended, masked. */
export interface Field {
  readonly kind: 'field'
  readonly data: DataId
  readonly offset: number
  readonly width: Width
  /** Applied after the load; at most 31 bits. */
  readonly mask?: number | undefined
}

/** open(2) flags in x86-64's numbers; each target has its own. */
export interface OpenFlags {
  readonly kind: 'open-flags'
  readonly flags: number
}

export type Operand = number | bigint | Value | Address | Field | OpenFlags

export type DataId = number

/** A piece of a data object's initial contents. */
export type DataPart =
  | Uint8Array
  | { readonly kind: 'u32' | 'u64'; readonly value: number | bigint }
  | { readonly kind: 'pointer'; readonly to: Address }
  /** open(2) flags as a 64-bit number (struct open_how). */
  | { readonly kind: 'open-flags'; readonly flags: number }

export interface Data {
  readonly id: DataId
  readonly parts: readonly DataPart[]
  /** Bytes; at least what the parts fill, the rest is zero. */
  readonly size: number
  /** Writable data lives in the RW- segment, the rest beside the code. */
  readonly writable: boolean
  /** How the printed plan shows it: "\"/proc\"", "open_how{…}". */
  readonly text: string
}

/** Whose config property asked for a step: a JSON pointer into config.json, or '' for what every container needs. */
export type Origin = string

interface StepBase {
  readonly origin: Origin
  /** The object a failure speaks of: "/proc", "mount proc" … */
  readonly about?: string | undefined
}

/** What has a result that may be -errno, and what happens then. */
interface MayFail extends StepBase {
  readonly args: readonly Operand[]
  readonly result: Value
  /** errno → why the container may go on without this step. */
  readonly ignore: Partial<Record<ErrnoName, string>>
  /** errno → where to go on instead; '*' for any other. Looked at after `ignore`. */
  readonly onError: Partial<Record<ErrnoName | '*', Label>>
  /** In a routine, in the child of a fork: an error that isn't listed is reported, and not the caller's to treat. */
  readonly inChild?: true | undefined
}

export interface SyscallStep extends MayFail {
  readonly op: 'syscall'
  readonly name: SyscallName
  /** A result below this is a failure with the errno beside it (a peer that hung up, a short read). */
  readonly atLeast?: { readonly count: number; readonly errno: ErrnoName } | undefined
  /** How the path in it is to be understood; only for calls that take one relative to AT_FDCWD. */
  readonly path: 'host' | 'container'
}

/** Code that exists once and is called from many places. It uses no values but its parameters and its own. */
export interface Routine {
  readonly kind: 'routine'
  readonly id: number
  readonly name: string
  readonly parameters: readonly Value[]
}

/** Go through a routine, which treats its caller as the kernel does: it returns a number, or -errno. */
export interface CallStep extends MayFail {
  readonly op: 'call'
  readonly routine: Routine
}

/** `left` against `right`, 64 bits: below and above are unsigned, less and greater signed. */
export type Condition =
  | 'eq'
  | 'ne'
  | 'below'
  | 'atLeast'
  | 'above'
  | 'atMost'
  | 'less'
  | 'notLess'
  | 'greater'
  | 'notGreater'

/** What holds when the other doesn't. */
export const OPPOSITE: Readonly<Record<Condition, Condition>> = {
  eq: 'ne',
  ne: 'eq',
  below: 'atLeast',
  atLeast: 'below',
  above: 'atMost',
  atMost: 'above',
  less: 'notLess',
  notLess: 'less',
  greater: 'notGreater',
  notGreater: 'greater',
}

/** Write the lower bytes of a number into writable data, or behind an address. */
export interface StoreStep extends StepBase {
  readonly op: 'store'
  readonly to: Address | Value
  readonly offset: number
  readonly width: Width
  readonly value: Operand
  /**
   * For an address in a value the object that it must point into: the machine looks before it writes, and fails with EFAULT.
   * 'outside' is for what the kernel has handed to the program; there nothing is looked at.
   */
  readonly within?: DataId | 'outside' | undefined
  /** Where to go on when it points elsewhere. */
  readonly orElse?: Label | undefined
  readonly inChild?: true | undefined
}

/** What two numbers are made into; div is unsigned, by a constant, shl and shr are by less than 64 bits. */
export type Operation = 'add' | 'sub' | 'mul' | 'div' | 'and' | 'or' | 'shl' | 'shr'

export type Step =
  | SyscallStep
  | CallStep
  /** Here begins a routine, which ends where the next one begins or the plan does. */
  | (StepBase & { readonly op: 'routine'; readonly routine: Routine })
  /** Back to the caller, with a number or -errno. */
  | (StepBase & { readonly op: 'return'; readonly value: Operand })
  | (StepBase & { readonly op: 'label'; readonly label: Label })
  | (StepBase & { readonly op: 'jump'; readonly to: Label })
  | (StepBase & {
      readonly op: 'branch'
      readonly left: Value | Field
      readonly condition: Condition
      /** A number of at most 31 bits, or what else is known then. */
      readonly right: number | Value | Field
      readonly to: Label
    })
  /** A number from two, 64 bits; the sum with 0 is a copy. */
  | (StepBase & {
      readonly op: 'compute'
      readonly operation: Operation
      readonly result: Value
      readonly left: Operand
      readonly right: Operand
    })
  /** What stands behind an address, little-endian, zero-extended. */
  | (StepBase & {
      readonly op: 'load'
      readonly result: Value
      readonly from: Value
      readonly offset: number
      readonly width: Width
    })
  | StoreStep
  /**
   * Give up: report (this step, code) and exit. In a routine the code is an errno, and the caller's to treat, but in the child
   * of a fork. `text`: how many bytes of the report's text field are filled.
   */
  | (StepBase & {
      readonly op: 'fail'
      readonly code: number | Value | Field
      readonly text?: Value | undefined
      readonly inChild?: true | undefined
    })
  | (StepBase & { readonly op: 'exit'; readonly status: number | Value | Field })
  /** From here on paths are the container's. */
  | (StepBase & { readonly op: 'pivot' })

/** What the builder has written. */
export interface UnverifiedPlan {
  /** The program, then its routines. A routine stands before those that call it, so that none is called by itself. */
  readonly steps: readonly Step[]
  readonly data: readonly Data[]
  /** What the properties that asked for steps are about, for the printed plan: a mount's destination … */
  readonly subjects?: ReadonlyMap<Origin, string>
  /** A writable 4-byte field: the descriptor to which failures are reported now. */
  readonly reportFd: Address
  /** A writable object laid out as REPORT says. */
  readonly report: DataId
  /** The step from which on failures are reported to start, no longer to create; undefined when there is none. */
  readonly gate?: number
  /** A writable 8-byte field that gets the address of argc at the start: argv and the environment follow it. */
  readonly entry?: Address
  /** Writable table of 8 bytes a step, filled with time stamps when the plan is compiled with `profile`. */
  readonly profile?: DataId
}

declare const VERIFIED: unique symbol

/** What verify() has found to hold: only that becomes code. */
export type Plan = UnverifiedPlan & { readonly [VERIFIED]: true }

/**
 * Layout of a message of the image, little-endian: {u32 kind, u32 step, i64 value, u32 textLength, u32 caller, text}.
 * `caller` is 0, or for a step of a routine the number of the call in the program that led there, and 1.
 */
export const REPORT = { kind: 0, step: 4, value: 8, textLength: 16, caller: 20, text: 24 } as const

/** `kind` of a failure report; the other kinds are in process/sync.ts. */
export const REPORT_FAILED = 1
