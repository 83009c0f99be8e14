// The short way of exec: runt becomes an image that adds the process by itself (lowering/solo/exec.ts).

import { UNIFIED } from '../cgroup/cgroup.ts'
import { notFrozen, openForEntry } from '../cgroup/freezer.ts'
import type { ProcessConfig } from '../config/types.ts'
import { pidfdInode } from '../host/pidfd.ts'
import { S_IF, S_IFMT } from '../linux/open-flags.ts'
import { isDebugging } from '../log.ts'
import type { ProcessFacts } from '../lowering/facts.ts'
import { lowerSoloExec, type SoloExec } from '../lowering/solo/exec.ts'
import type { Image } from '../machine/codegen.ts'
import { callerWords } from '../native/caller.ts'
import { exists, readFileIfPresent, status } from '../native/file.ts'
import type { Plan } from '../plan/step.ts'
import { becomeImage } from '../process/become.ts'
import type { Container } from './container.ts'
import type { ExecOptions } from './exec.ts'
import { compileHere } from './image.ts'

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
 */
export function becomeSoloExec(container: Container, options: ExecOptions, prepared: PreparedExec): void {
  const solo = soloExecImage(container, options, prepared, process.execPath)
  if (solo === undefined) return
  const words = [process.execPath, '--supervised', ...callerWords()]
  becomeImage(solo.image.bytes, words, prepared.facts.preservedFds)
}

/**
 * @param engine what the image becomes when it can't go on
 * @returns undefined when this process is not for the short way
 */
export function soloExecImage(
  container: Container,
  options: ExecOptions,
  { config, facts, attachTo, warnings }: PreparedExec,
  engine: string,
): { readonly plan: Plan; readonly image: Image } | undefined {
  if (!isPlain(container, options, facts) || attachTo !== undefined || warnings.length > 0) return undefined
  const inode = pidfdInode(container.pid)
  const checks = [...notFrozen(container.cgroup), ...openForEntry(container.cgroup)]
  const leaf = container.cgroup.directories[UNIFIED]
  if (inode === undefined || !checks.every(({ path }) => exists(path))) return undefined
  if (leaf !== undefined && readFileIfPresent(`${leaf}/cgroup.subtree_control`) !== '') return undefined
  const solo: SoloExec = { init: { pid: container.pid, inode }, checks, leaf, pidFile: options.pidFile, engine }
  const plan = lowerSoloExec(config, facts, solo)
  const { inject } = options
  return { plan, image: compileHere(plan, inject === undefined ? {} : { inject }) }
}

/** Nothing is asked for that runt must do itself, or that must be told as it happens. */
function isPlain(container: Container, options: ExecOptions, facts: ProcessFacts): boolean {
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
    isReadAgain(options.request.processFile) &&
    !isDebugging()
  )
}

/** What is left to the engine in the end, it does from the start: a pipe is empty then. */
function isReadAgain(file: string | undefined): boolean {
  return file === undefined || ((status(file)?.mode ?? 0) & S_IFMT) === S_IF.REG
}
