// process.args and process.env: the program is found before `ready`, and executed when the gate opens.

import type { Process } from '../config/types.ts'
import { ERRNO } from '../linux/errno.ts'
import { AT, S_IF, S_IFMT } from '../linux/open-flags.ts'
import { STATX, STATX_TYPE } from '../linux/statx.ts'
import { type DataObject, u64 } from '../plan/builder.ts'
import { REPLY } from '../plan/messages.ts'
import type { Field } from '../plan/step.ts'
import { NOT_IN_PATH } from '../words.ts'
import type { ProcessContext } from './context.ts'

/** PATH of a container that has none: what execvp(3) would say, and where programs are. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const X_OK = 1

/** Is HOME for runt to find, in the container's /etc/passwd? */
export function needsHome(env: readonly string[]): boolean {
  return !env.some((entry) => entry.startsWith('HOME=') && entry !== 'HOME=')
}

/** Look the program up as execvp(3) does. @returns where its path stands when the program is found */
export function lowerFindProgram(context: ProcessContext): Field | undefined {
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
  return program.field(0, 8)
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

/** What the program finds as its environment; HOME may come from runt, with the reply to `ready`. */
export function programEnvironment({ plan, facts, reply }: ProcessContext, { env }: Pick<Process, 'env'>): DataObject {
  const listen = facts.listenFds === undefined ? [] : [`LISTEN_FDS=${facts.listenFds}`, 'LISTEN_PID=1']
  const given = env.filter((entry) => entry !== 'HOME=' && (listen.length === 0 || !entry.startsWith('LISTEN_')))
  return plan.strings([...given, ...listen], needsHome(env) ? [reply.at(REPLY.home)] : [])
}

/** The last step: the program takes the image's place. */
export function lowerExecve(context: ProcessContext, program: Field): void {
  const { plan, config } = context
  const { process } = config
  if (process === undefined) return
  const [name = ''] = process.args
  plan.section('/process/args', `exec: ${JSON.stringify(name)}`, () => {
    const envp = programEnvironment(context, process)
    const args = plan.strings(process.args)
    plan.syscall('execve', [program, args.address, envp.address], { path: 'container' })
    plan.exit(127)
  })
}
