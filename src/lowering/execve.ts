// process.args and process.env: the program is found before `ready`, and executed when the gate opens.

import { ERRNO } from '../linux/errno.ts'
import { AT, S_IF, S_IFMT } from '../linux/open-flags.ts'
import { STATX, STATX_TYPE } from '../linux/statx.ts'
import { type DataObject, u64 } from '../plan/builder.ts'
import type { Address, Field } from '../plan/step.ts'
import { NOT_IN_PATH } from '../words.ts'
import type { ProcessContext } from './context.ts'
import { lowerHome } from './home.ts'

/** PATH of a container that has none: what execvp(3) would say, and where programs are. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const X_OK = 1

/** What the config says the program finds as its environment: the last entry of a name counts, and an empty HOME is none. */
function givenEnvironment(env: readonly string[]): readonly string[] {
  const byName = new Map<string, string>()
  for (const entry of env) {
    const name = entry.split('=', 1)[0] ?? ''
    byName.delete(name) // it stands where the last one does
    byName.set(name, entry)
  }
  return [...byName.values()].filter((entry) => entry !== 'HOME=')
}

/** Find HOME when the environment has none. @returns where it stands then */
export function lowerHomeIfUnset(context: ProcessContext): Address | undefined {
  const { process } = context.config
  if (process === undefined || givenEnvironment(process.env).some((entry) => entry.startsWith('HOME=')))
    return undefined
  return lowerHome(context, process.user.uid)
}

/** What is executed in the end. */
export interface Program {
  /** Where its path stands. */
  readonly path: Field
  readonly environment: DataObject
}

/**
 * Look the program up as execvp(3) does.
 * @param home from lowerHomeIfUnset()
 * @returns undefined when the config has no process
 */
export function lowerFindProgram(context: ProcessContext, home: Address | undefined): Program | undefined {
  const { plan, config } = context
  const { process } = config
  if (process === undefined) return undefined
  const [name = ''] = process.args
  const program = plan.struct('program', [u64(0)])
  plan.section('/process/args/0', name, () => {
    const found = plan.label('found')
    if (name.includes('/')) lowerGivenProgram(context, name, program)
    else {
      const room = plan.buffer('statx', 256)
      for (const candidate of candidates(name, process.env)) lowerCandidate(context, candidate, room, program, found)
      plan.fail(ERRNO.ENOENT, `exec: ${JSON.stringify(name)}: ${NOT_IN_PATH}`)
    }
    plan.place(found)
  })
  return { path: program.field(0, 8), environment: programEnvironment(context, process.env, home) }
}

/** Where a program is looked for that has no slash in its name, as execvp(3) does. */
export function candidates(name: string, env: readonly string[]): string[] {
  const path = env.find((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? DEFAULT_PATH
  const folders = path.split(':').map((folder) => (folder === '' ? '.' : folder.replace(/\/+$/, '')))
  return [...new Set(folders.map((folder) => `${folder}/${name}`))]
}

/** A path is taken as it is; that it can't be executed is known now rather than at the start. */
function lowerGivenProgram({ plan }: ProcessContext, path: string, program: DataObject): void {
  const found = plan.buffer('statx', 256)
  const about = `exec: ${JSON.stringify(path)}: stat ${path}`
  plan.syscall('statx', [AT.FDCWD, path, 0, STATX_TYPE, found.address], { path: 'container', about })
  plan.require(
    found.field(STATX.mode, 2, S_IFMT),
    'ne',
    S_IF.DIR,
    ERRNO.EACCES,
    `exec: ${JSON.stringify(path)}: is a directory: permission denied`,
  )
  plan.syscall('faccessat2', [AT.FDCWD, path, X_OK, AT.EACCESS], {
    path: 'container',
    about: `exec: ${JSON.stringify(path)}`,
  })
  plan.store(program.address, 8, path)
}

function lowerCandidate(
  { plan }: ProcessContext,
  path: string,
  room: DataObject,
  program: DataObject,
  found: ReturnType<typeof plan.label>,
): void {
  const next = plan.label('next')
  plan.syscall('faccessat2', [AT.FDCWD, path, X_OK, AT.EACCESS], { path: 'container', onError: { '*': next } })
  plan.syscall('statx', [AT.FDCWD, path, 0, STATX_TYPE, room.address], { path: 'container', onError: { '*': next } })
  plan.branch(room.field(STATX.mode, 2, S_IFMT), 'ne', S_IF.REG, next)
  plan.store(program.address, 8, path)
  plan.jump(found)
  plan.place(next)
}

/** @param home from lowerHomeIfUnset() */
function programEnvironment({ plan, facts }: ProcessContext, env: readonly string[], home?: Address): DataObject {
  const listen = facts.listenFds === undefined ? [] : [`LISTEN_FDS=${facts.listenFds}`, 'LISTEN_PID=1']
  const given = givenEnvironment(env).filter((entry) => listen.length === 0 || !entry.startsWith('LISTEN_'))
  return plan.strings([...given, ...listen], home === undefined ? [] : [home])
}

/** The last step: the program takes the image's place. */
export function lowerExecve(context: ProcessContext, program: Program): void {
  const { plan, config } = context
  const { process } = config
  if (process === undefined) return
  const [name = ''] = process.args
  plan.section('/process/args', `exec: ${JSON.stringify(name)}`, () => {
    const args = plan.strings(process.args)
    plan.syscall('execve', [program.path, args.address, program.environment.address], { path: 'container' })
    plan.exit(127)
  })
}
