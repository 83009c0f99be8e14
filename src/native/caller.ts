// What runt's caller gave it, byte for byte: an engine's process.argv, process.env and process.cwd() lose what isn't UTF-8.

import { parseEnvironment } from '../linux/environment.ts'
import { decodeName } from '../linux/names.ts'
import { readBytes, readFile } from './file.ts'
import { syscall } from './syscall.ts'

/** What an engine has for bytes that are no character. */
const LOST = '\ufffd'
const LONGEST_PATH = 4096

/** The words behind the program's name. */
export function callerWords(): readonly string[] {
  const words = process.argv.slice(2)
  if (!words.some((word) => word.includes(LOST))) return words
  return readFile('/proc/self/cmdline').slice(0, -1).split('\0').slice(-words.length)
}

/** The working directory. */
export function callerDirectory(): string {
  const path = process.cwd()
  if (!path.includes(LOST)) return path
  const buffer = new Uint8Array(LONGEST_PATH)
  return decodeName(buffer.subarray(0, syscall('getcwd', buffer, buffer.length) - 1))
}

let variables: Readonly<Record<string, string>> | undefined

/** The environment, also what the front hides from the engine. */
export function callerEnvironment(): Readonly<Record<string, string>> {
  variables ??= parseEnvironment(readBytes('/proc/self/environ'))
  return variables
}

/** The same, as execve(2) takes it. */
export function callerVariables(): string[] {
  return Object.entries(callerEnvironment()).map(([name, value]) => `${name}=${value}`)
}
