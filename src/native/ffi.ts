// The only file that knows ffi-rs. Loads its addon by absolute path (never from /tmp, never by search) and calls libc.

import { createRequire } from 'node:module'
import { encodeName, hasEscapes } from '../linux/names.ts'

/** ffi-rs's DataType numbers that runt uses, and its tag of an array type. A wrong one aborts the whole process. */
const TYPE = { STRING: 0, U8_ARRAY: 10, BIGINT: 16 } as const
const ARRAY_TAG = 997

type ParameterType = number | { type: number; length: number; ffiTypeTag: number; dynamicArray: boolean }

export type NativeArgument = number | bigint | string | Uint8Array

interface Addon {
  open(options: { library: string; path: string }): void
  load(call: Call & { runInNewThread: false }): NativeResult
  load(call: Call & { runInNewThread: true }): Promise<NativeResult>
}

interface Call {
  library: string
  funcName: string
  retType: number
  paramsType: ParameterType[]
  paramsValue: NativeArgument[]
  errno: true
  freeResultMemory: false
}

export interface NativeResult {
  readonly value: bigint
  readonly errnoCode: number
}

const LIBC = 'libc'
let addon: Addon | undefined

function libc(): Addon {
  if (addon !== undefined) return addon
  const module: { exports: unknown } = { exports: {} }
  process.dlopen(module, addonPath())
  addon = module.exports as Addon // the addon's N-API exports, as ffi-rs's index.d.ts describes them
  addon.open({ library: LIBC, path: '' }) // '' is the running process: its libc is there already
  return addon
}

/** The addon beside the installed executable, or the npm package's when the sources run in an engine. */
function addonPath(): string {
  const arch = process.arch === 'x64' ? 'x64' : 'arm64'
  if (isExecutable()) return `${process.execPath.replace(/\/[^/]*$/, '')}/ffi-rs.node`
  return createRequire(import.meta.url).resolve(`@yuuang/ffi-rs-linux-${arch}-gnu`)
}

/** Is this the built executable? Else an engine runs the sources. */
export function isExecutable(): boolean {
  return process.argv[1]?.startsWith('/$bunfs/') === true
}

function describe(library: string, funcName: string, args: readonly NativeArgument[]): Call {
  const values = args.map(toNative)
  return {
    library,
    funcName,
    retType: TYPE.BIGINT,
    paramsType: values.map(typeOf),
    paramsValue: values,
    errno: true,
    freeResultMemory: false,
  }
}

/** A name that isn't UTF-8 goes as its bytes: the addon's strings are. */
function toNative(arg: NativeArgument): NativeArgument {
  if (typeof arg === 'number') return BigInt(arg)
  return typeof arg === 'string' && hasEscapes(arg) ? encodeName(`${arg}\0`) : arg
}

function typeOf(arg: NativeArgument): ParameterType {
  if (typeof arg === 'string') return TYPE.STRING
  if (typeof arg !== 'object') return TYPE.BIGINT
  return { type: TYPE.U8_ARRAY, length: arg.length, ffiTypeTag: ARRAY_TAG, dynamicArray: false }
}

/** Call a libc function. Integers go as 64-bit, strings as char*, byte arrays by address, to be filled in place. */
export function callNative(name: string, ...args: NativeArgument[]): NativeResult {
  return libc().load({ ...describe(LIBC, name, args), runInNewThread: false })
}

/** The same on a thread of its own, so that JavaScript and its signal listeners go on while the call waits. */
export function callNativeAsync(name: string, ...args: NativeArgument[]): Promise<NativeResult> {
  return libc().load({ ...describe(LIBC, name, args), runInNewThread: true })
}

/** Call a function of another library, as callNative does. @throws Error when it has none of that name */
export type LibraryCall = (name: string, ...args: NativeArgument[]) => bigint

/**
 * dlopen(3) of one of the host's libraries.
 * @param file its file name, looked for where the linker looks
 * @throws Error with the linker's words when it can't be loaded
 */
export function openLibrary(file: string): LibraryCall {
  const loaded = libc()
  loaded.open({ library: file, path: file })
  return (name, ...args) => loaded.load({ ...describe(file, name, args), runInNewThread: false }).value
}
