// The host's libseccomp, which knows every machine's system calls and compiles rules into a filter. seccomp_init(3) and the
// pages beside it. Opened when a filter has to be compiled; the functions that are used are those of 2.5.

import { propertyError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import { memoryFile } from './descriptors.ts'
import { type LibraryCall, openLibrary } from './ffi.ts'
import { close, readAll, readFile } from './file.ts'
import { Arena } from './memory.ts'
import { syscall } from './syscall.ts'

const FILE = 'libseccomp.so.2'
const OLDEST = [2, 5] as const

/** enum scmp_filter_attr */
const OPTIMIZE = 8
const BINARY_TREE = 2

/** One condition of a rule, as struct scmp_arg_cmp has it. */
export interface Comparison {
  /** Which argument, from 0. */
  readonly index: number
  /** enum scmp_compare */
  readonly op: number
  /** For a masked comparison: the mask. */
  readonly a: bigint
  /** For a masked comparison: what the masked argument must be. */
  readonly b: bigint
}

const COMPARISON_SIZE = 24

export class Libseccomp {
  readonly #call: LibraryCall
  /** "2.5.4" */
  readonly version: string
  /** Where the linker found it, links resolved. */
  readonly path: string

  /** @throws RuntError when this host has none, or one that is too old */
  constructor() {
    this.#call = open()
    this.version = this.#readVersion()
    this.path = /\s(\/.*libseccomp\.so.*)$/m.exec(readFile('/proc/self/maps'))?.[1] ?? ''
    const [major = 0, minor = 0] = this.version.split('.').map(Number)
    if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return
    throw propertyError(
      'host',
      '/linux/seccomp',
      `libseccomp ${this.version} is too old: runt needs ${OLDEST.join('.')}`,
    )
  }

  /** struct scmp_version: three numbers. */
  #readVersion(): string {
    using arena = new Arena(4096)
    const bytes = arena.read(this.#call('seccomp_version'), 12)
    const view = new DataView(bytes.buffer)
    return [0, 4, 8].map((at) => view.getUint32(at, true)).join('.')
  }

  /**
   * The number of a system call.
   * @param machine an AUDIT_ARCH, or libseccomp's own number for x32
   * @returns -1 for a name that it doesn't know, less for a call that the machine hasn't and another one has
   */
  resolve(name: string, machine: number): number {
    return Number(BigInt.asIntN(32, this.#call('seccomp_syscall_resolve_name_arch', machine, name)))
  }

  /** A filter without rules. @param action what happens to calls that no rule names, as SECCOMP_RET has it */
  filter(action: number): Filter {
    const context = this.#call('seccomp_init', action)
    if (context === 0n)
      throw propertyError('host', '/linux/seccomp/defaultAction', `libseccomp ${this.version} refuses it`)
    return new Filter(this.#call, context)
  }
}

function open(): LibraryCall {
  try {
    return openLibrary(FILE)
  } catch (cause) {
    throw propertyError('host', '/linux/seccomp', cause instanceof Error ? cause.message : `${cause}`, {
      cause,
      hint: 'filters are compiled by libseccomp: install it (on Debian: apt-get install libseccomp2)',
    })
  }
}

/** A filter that is being written. */
export class Filter implements Disposable {
  readonly #call: LibraryCall
  readonly #context: bigint

  constructor(call: LibraryCall, context: bigint) {
    this.#call = call
    this.#context = context
  }

  /** The calls of one more machine. Rules that are there hold for it, too. @returns undefined, or the name of an errno */
  addMachine(machine: number): string | undefined {
    return this.#errno('seccomp_arch_add', machine)
  }

  /** Look for a call's rule in a tree, rather than in a row. */
  useBinaryTree(): string | undefined {
    return this.#errno('seccomp_attr_set', OPTIMIZE, BINARY_TREE)
  }

  /**
   * @param action as SECCOMP_RET has it
   * @param call its number on the machine that runs us, or what resolve() gave for one that this machine hasn't
   * @param comparisons all must hold
   * @returns undefined, or the name of an errno
   */
  addRule(action: number, call: number, comparisons: readonly Comparison[]): string | undefined {
    const array = new Uint8Array(COMPARISON_SIZE * Math.max(comparisons.length, 1))
    const view = new DataView(array.buffer)
    for (const [at, { index, op, a, b }] of comparisons.entries()) {
      view.setUint32(at * COMPARISON_SIZE, index, true)
      view.setUint32(at * COMPARISON_SIZE + 4, op, true)
      view.setBigUint64(at * COMPARISON_SIZE + 8, a, true)
      view.setBigUint64(at * COMPARISON_SIZE + 16, b, true)
    }
    return this.#errno('seccomp_rule_add_array', action, call, comparisons.length, array)
  }

  /** The program: an array of struct sock_filter. */
  export(): Uint8Array {
    const file = memoryFile('filter', new Uint8Array(0))
    try {
      const failed = this.#errno('seccomp_export_bpf', file)
      if (failed !== undefined) throw propertyError('host', '/linux/seccomp', `libseccomp: ${failed}`)
      syscall('lseek', file, 0, 0)
      return readAll(file)
    } finally {
      close(file)
    }
  }

  #errno(name: string, ...args: (number | Uint8Array)[]): string | undefined {
    const result = Number(BigInt.asIntN(32, this.#call(name, this.#context, ...args)))
    return result < 0 ? errnoName(-result) : undefined
  }

  [Symbol.dispose](): void {
    this.#call('seccomp_release', this.#context)
  }
}
