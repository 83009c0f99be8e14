// The short way of exec: runt becomes an image that adds the process by itself (lowering/solo/exec.ts), and that is kept for the
// next exec of the same. Health checks ask again and again, and engines ask by files of another name each time.

import { notFrozen, openForEntry } from '../cgroup/freezer.ts'
import { UNIFIED } from '../cgroup/manager.ts'
import type { ProcessConfig } from '../config/types.ts'
import { homeOf, passwdOf } from '../host/home.ts'
import { pidfdInode } from '../host/pidfd.ts'
import { inFirstUserNamespace } from '../host/probe.ts'
import { isDebugging } from '../log.ts'
import { has } from '../lowering/context.ts'
import { needsHome } from '../lowering/execve.ts'
import type { ProcessFacts } from '../lowering/facts.ts'
import { lowerSoloExec, type SoloExec } from '../lowering/solo/exec.ts'
import type { Image } from '../machine/codegen.ts'
import { exists, readBytesIfPresent, readFileIfPresent } from '../native/file.ts'
import type { Plan } from '../plan/step.ts'
import { ANY_VALUE_FLAGS, type FileGuard } from '../plan/ticket.ts'
import { verify } from '../plan/verify.ts'
import { becomeImage } from '../process/become.ts'
import type { Container } from './container.ts'
import { homeVariable } from './conversation.ts'
import type { ExecOptions } from './exec.ts'
import { compileHere } from './image.ts'
import { type KeptCall, keepImage } from './kept-image.ts'
import type { Store } from './store.ts'

/** What is known of a call before anything happens. */
export interface PreparedExec {
  readonly config: ProcessConfig
  readonly facts: ProcessFacts
  /** Where systemd is to put the process, which waits for that. */
  readonly attachTo: string | undefined
  readonly warnings: readonly string[]
}

/**
 * Become the image of this process. Comes back when the process is not for the short way: then nothing has happened.
 * @param call from soloCall(), before anything was read
 */
export function becomeSoloExec(
  store: Store,
  container: Container,
  options: ExecOptions,
  prepared: PreparedExec,
  call: KeptCall,
): void {
  const { words } = call
  const solo = soloExecImage(container, options, prepared, process.execPath, wordFromEnd(options.pidFile, words))
  if (solo === undefined) return
  const { facts } = prepared
  // A file that has changed meanwhile was read before or after that: the image goes with neither.
  if (call.files.every((file) => isSame(file, words))) keepImage(store, call, facts, solo.image.bytes)
  becomeImage(solo.image.bytes, [process.execPath, '--supervised', ...words], facts.preservedFds)
}

function isSame({ at, contents }: FileGuard, words: readonly string[]): boolean {
  const now = readBytesIfPresent(typeof at === 'string' ? at : (words[at - 1] ?? ''))
  return now !== undefined && Buffer.compare(now, contents) === 0
}

/**
 * @param engine what the image becomes when it can't go on
 * @param pidFileWord where the pid is written: the word of the call that says it, counted from the last one
 * @returns undefined when this process is not for the short way
 */
export function soloExecImage(
  container: Container,
  options: ExecOptions,
  { config, facts, attachTo, warnings }: PreparedExec,
  engine: string,
  pidFileWord: number | undefined,
): { readonly plan: Plan; readonly image: Image } | undefined {
  if (!isPlain(container, options, config, facts) || attachTo !== undefined || warnings.length > 0) return undefined
  const inode = pidfdInode(container.pid)
  const checks = [...notFrozen(container.cgroup), ...openForEntry(container.cgroup)]
  const leaf = container.cgroup.directories[UNIFIED]
  const home = homeIn(config, container.pid)
  if (inode === undefined || !checks.every(({ path }) => exists(path))) return undefined
  if (leaf !== undefined && readFileIfPresent(`${leaf}/cgroup.subtree_control`) !== '') return undefined
  const solo: SoloExec = { init: { pid: container.pid, inode }, checks, leaf, home, pidFileWord, engine }
  const plan = lowerSoloExec(config, facts, solo)
  verify(plan)
  const { inject } = options
  return { plan, image: compileHere(plan, inject === undefined ? {} : { inject }) }
}

/** Nothing is asked for that runt must do itself, or that must be told as it happens. */
function isPlain(container: Container, options: ExecOptions, config: ProcessConfig, facts: ProcessFacts): boolean {
  const { filter } = container.exec
  return (
    !options.profile &&
    !options.ignorePaused &&
    options.pidfdSocket === undefined &&
    options.subCgroups.length === 0 &&
    options.preserveFds === 0 &&
    facts.console === undefined &&
    container.rdt === undefined &&
    (filter === null || filter.agent === undefined || filter.agent === null) &&
    !has(config, 'user') && // whoever joins one can't come back
    inFirstUserNamespace() && // nor can an ordinary user from a pid namespace
    !isDebugging()
  )
}

/**
 * What the same call would have in common with this one: to be asked before any of it is read.
 * @returns undefined when a flag has its value in the same word, which can't be another's, or when a file isn't there
 */
export function soloCall(store: Store, options: ExecOptions): KeptCall | undefined {
  const words = process.argv.slice(2)
  const { processFile } = options.request
  const processWord = wordOf(processFile, words)
  const pidFileWord = wordOf(options.pidFile, words)
  if (processWord === -1 || pidFileWord === -1) return undefined
  const paths: (string | number)[] = [`${store.directory(options.id)}/state.json`]
  if (processWord !== undefined) paths.push(processWord + 1)
  const files = paths.flatMap((at) => {
    const contents = readBytesIfPresent(typeof at === 'string' ? at : (processFile ?? ''))
    return contents === undefined ? [] : [{ at, contents }]
  })
  const anyWords = [processWord, pidFileWord].filter((word) => word !== undefined)
  return files.length < paths.length ? undefined : { command: 'exec', words, anyWords, unchanged: [], files }
}

/** Which word is this flag's value; -1 when none is; undefined when there is no value. */
function wordOf(value: string | undefined, words: readonly string[]): number | undefined {
  if (value === undefined) return undefined
  return words.findIndex((word, index) => word === value && ANY_VALUE_FLAGS.some((flag) => flag === words[index - 1]))
}

function wordFromEnd(value: string | undefined, words: readonly string[]): number | undefined {
  const word = wordOf(value, words)
  return word === undefined ? undefined : words.length - 1 - word
}

/** HOME for a program whose environment has none, with the file that says so. */
function homeIn({ process: program }: ProcessConfig, pid: number): SoloExec['home'] {
  if (program === undefined || !needsHome(program.env)) return undefined
  const passwd = passwdOf(pid) // before it is read: a change after that is noticed
  return { entry: homeVariable(homeOf(pid, program.user.uid) ?? '/'), passwd }
}
