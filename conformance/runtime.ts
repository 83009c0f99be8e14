// The runtime under test, any that speaks runc's command line: a path, perhaps followed by global flags.

import { spawn, spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { PATIENCE } from './patience.ts'

export interface Runtime {
  /** The first word of --version: runt, runc, crun, youki. */
  readonly name: string
  readonly version: string
  readonly command: readonly string[]
}

export interface Result {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Descriptors that the runtime gets as 3, 4, … */
  readonly descriptors?: readonly number[]
  /** Words that start the runtime: unshare and its flags. */
  readonly starter?: readonly string[]
  /** They are said to be sockets passed by LISTEN_FDS and LISTEN_PID. */
  readonly listening?: boolean
  /** It is killed when it takes longer (20). */
  readonly seconds?: number
}

const HYBRID = '/sys/fs/cgroup/unified'
const SECONDS = 20
/** sd_listen_fds(3) wants the pid of the process that gets them. */
const LISTENER = ['sh', '-c', 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', 'listener']

/** @throws Error when it can't be run */
export function findRuntime(text: string): Runtime {
  const [program = '', ...flags] = text.split(/\s+/).filter(Boolean)
  const path = program.includes('/') ? resolve(program) : program // cases run it in other folders
  const { status, stdout, error } = spawnSync(path, ['--version'], { encoding: 'utf8' })
  if (error !== undefined) throw error
  const version = stdout.split('\n')[0] ?? ''
  if (status !== 0 || version === '') throw new Error(`${path} --version failed`)
  const name = version.split(' ')[0] ?? path
  return { name, version, command: [...(name === 'crun' ? withoutHybrid() : []), path, ...flags] }
}

/** crun refuses a hybrid cgroup tree, so on such a machine it gets a mount namespace in which that is a plain v1 tree. */
function withoutHybrid(): string[] {
  return existsSync(`${HYBRID}/cgroup.procs`)
    ? ['unshare', '-m', 'sh', '-c', `umount ${HYBRID} && exec "$@"`, 'crun']
    : []
}

/**
 * Run a command to its end. Its output goes to files: a pipe would stay open for as long as the container, which inherits
 * it, lives.
 */
export async function execute(command: readonly string[], output: string, options: RunOptions = {}): Promise<Result> {
  const starter = [...(options.listening === true ? LISTENER : []), ...(options.starter ?? [])]
  const [program = '', ...args] = [...starter, ...command]
  const [stdout, stderr] = [openSync(`${output}.out`, 'w'), openSync(`${output}.err`, 'w')]
  try {
    const child = spawn(program, args, {
      stdio: ['ignore', stdout, stderr, ...(options.descriptors ?? [])],
      cwd: options.cwd,
      env: options.env === undefined ? process.env : { ...process.env, ...options.env },
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), (options.seconds ?? SECONDS) * 1000 * PATIENCE)
    const status = await new Promise<number>((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', (code) => resolve(code ?? -1))
    })
    clearTimeout(timer)
    return { status, stdout: readFileSync(`${output}.out`, 'utf8'), stderr: readFileSync(`${output}.err`, 'utf8') }
  } finally {
    closeSync(stdout)
    closeSync(stderr)
  }
}
