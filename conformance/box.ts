// One case's container: its bundle, the runtime's commands on it, and the cleaning up.

import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import * as assert from 'uvu/assert'
import { baseConfig, type Edits, edited, makeRootfs } from './bundle.ts'
import { waitUntil } from './patience.ts'
import { waitForPrograms } from './programs.ts'
import { execute, type Result, type RunOptions, type Runtime } from './runtime.ts'

const CGROUPS = '/sys/fs/cgroup'

export interface State {
  readonly ociVersion: string
  readonly id: string
  readonly status: string
  readonly pid?: number
  readonly bundle: string
  readonly [key: string]: unknown
}

/** What all the boxes of one run share; disposing of it removes the folder and the cgroups. */
export class Ground {
  readonly folder = mkdtempSync(`${tmpdir()}/runt-conformance-`)
  readonly cgroup = `/runt-conformance-${process.pid}`
  readonly runtime: Runtime
  #boxes = 0

  constructor(runtime: Runtime) {
    this.runtime = runtime
    chmodSync(this.folder, 0o755) // a container's user must be able to reach its root
  }

  nextId(): string {
    return `conf-${process.pid}-${++this.#boxes}`
  }

  [Symbol.dispose](): void {
    for (const hierarchy of hierarchies()) removeCgroup(`${hierarchy}${this.cgroup}`)
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export class Box {
  readonly runtime: Runtime
  readonly id: string
  /** Everything of this case is in here. */
  readonly folder: string
  readonly bundle: string
  readonly rootfs: string
  readonly stateRoot: string
  /** linux.cgroupsPath. */
  readonly cgroupsPath: string
  /** The place that it means, below the mount points. */
  readonly cgroup: string
  readonly #base: Record<string, unknown>
  #commands = 0

  constructor(ground: Ground) {
    this.runtime = ground.runtime
    this.id = ground.nextId()
    this.folder = `${ground.folder}/${this.id}`
    this.bundle = `${this.folder}/bundle`
    this.rootfs = `${this.bundle}/rootfs`
    this.stateRoot = `${this.folder}/state`
    const bySystemd = isBySystemd(ground.runtime)
    this.cgroup = bySystemd ? `/system.slice/runt-${this.id}.scope` : `${ground.cgroup}/${this.id}`
    this.cgroupsPath = bySystemd ? `system.slice:runt:${this.id}` : this.cgroup
    this.#base = baseConfig(this.cgroupsPath)
    mkdirSync(this.bundle, { recursive: true })
    makeRootfs(this.rootfs, ground.folder)
  }

  /** Write config.json with these changes of the base. */
  configure(edits: Edits): void {
    writeFileSync(`${this.bundle}/config.json`, JSON.stringify(edited(this.#base, edits)))
  }

  /** Any command of the runtime. */
  command(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    const command = [...this.runtime.command, '--root', this.stateRoot, ...args]
    return execute(command, `${this.folder}/output-${++this.#commands}`, options)
  }

  /** create, start, wait, delete in one. */
  run(edits: Edits, flags: readonly string[] = [], options: RunOptions = {}): Promise<Result> {
    this.configure(edits)
    return this.command(['run', '--bundle', this.bundle, ...flags, this.id], options)
  }

  /**
   * `run` in a mount namespace of its own, which a shell script has prepared.
   * @param words what the runtime is started by: unshare and its flags
   * @param flags of run
   */
  runPrepared(
    script: string,
    edits: Edits,
    words: readonly string[] = [],
    flags: readonly string[] = [],
  ): Promise<Result> {
    this.configure(edits)
    const command = [...words, ...this.runtime.command, '--root', this.stateRoot, 'run', '--bundle', this.bundle]
    const prepared = ['unshare', '-m', 'sh', '-c', `${script} && exec "$@"`, 'sh', ...command, ...flags, this.id]
    return execute(prepared, `${this.folder}/output-${++this.#commands}`)
  }

  /** What a shell script inside prints, when it ends well. */
  async sh(
    script: string,
    edits: Edits = {},
    flags: readonly string[] = [],
    options: RunOptions = {},
  ): Promise<string> {
    const result = await this.run({ ...edits, '/process/args': ['sh', '-c', script] }, flags, options)
    return succeeded(result).stdout.trim()
  }

  tryCreate(edits: Edits = {}, flags: readonly string[] = [], options: RunOptions = {}): Promise<Result> {
    this.configure(edits)
    return this.command(['create', '--bundle', this.bundle, ...flags, this.id], options)
  }

  async create(edits: Edits = {}, flags: readonly string[] = [], options: RunOptions = {}): Promise<void> {
    succeeded(await this.tryCreate(edits, flags, options))
  }

  /**
   * create and start a script; its container is running when this is back.
   * @param programs command lines of init and its children that the script must have got to
   */
  async launch(script: string, edits: Edits = {}, programs: readonly string[] = []): Promise<void> {
    await this.create({ ...edits, '/process/args': ['sh', '-c', script] })
    await this.start()
    if (programs.length > 0) await waitForPrograms(Number((await this.state()).pid), ...programs)
  }

  async start(): Promise<void> {
    succeeded(await this.command(['start', this.id]))
  }

  async state(): Promise<State> {
    return JSON.parse(succeeded(await this.command(['state', this.id])).stdout) as State // checked by the cases
  }

  async kill(...signal: string[]): Promise<void> {
    succeeded(await this.command(['kill', this.id, ...signal]))
  }

  async delete(...flags: string[]): Promise<void> {
    succeeded(await this.command(['delete', ...flags, this.id]))
  }

  async waitForStatus(status: string): Promise<State> {
    let state = await this.state()
    const isSo = async (): Promise<boolean> => {
      state = await this.state()
      return state.status === status
    }
    await waitUntil(isSo, () => `status is ${state.status}, and was to become ${status}`)
    return state
  }

  /** Wait for a file that a container or a hook writes. */
  async waitForFile(path: string): Promise<string> {
    await waitUntil(
      () => existsSync(path) && readFileSync(path).length > 0,
      () => `nobody wrote ${path}`,
    )
    return readFileSync(path, 'utf8')
  }

  /** The program that a create or start must refuse, and then leave nothing behind. @returns what it says */
  async rejected(edits: Edits, flags: readonly string[] = []): Promise<string> {
    const result = await this.tryCreate(edits, flags)
    // Which of the two refuses a config is the runtime's choice for what concerns the program alone.
    const refused = result.status === 0 ? await this.command(['start', this.id]) : result
    if (result.status === 0) await this.command(['delete', '--force', this.id])
    assert.is.not(refused.status, 0, 'it was accepted')
    assert.is.not(`${refused.stdout}${refused.stderr}`.trim(), '', 'it was refused without a word')
    this.assertNothingLeft()
    return refused.stderr
  }

  assertNothingLeft(): void {
    assert.equal(this.records(), [], 'a record is left')
    assert.equal(this.cgroupFolders(), [], 'cgroups are left')
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    assert.not.ok(mounts.includes(this.folder), 'a mount is left')
  }

  /** Containers on record under the state root. */
  records(): string[] {
    return existsSync(this.stateRoot) ? readdirSync(this.stateRoot).filter((name) => name === this.id) : []
  }

  /** The container's cgroup in every hierarchy that has one. */
  cgroupFolders(cgroup: string = this.cgroup): string[] {
    return hierarchies()
      .map((hierarchy) => `${hierarchy}${cgroup}`)
      .filter((folder) => existsSync(folder))
  }

  /** A file of the container's cgroup in a v1 hierarchy. */
  knob(controller: string, file: string): string {
    return readFileSync(`${CGROUPS}/${controller}${this.cgroup}/${file}`, 'utf8').trim()
  }

  /** A path for hooks and programs to write to. */
  path(name: string): string {
    return `${this.folder}/${name}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (existsSync(this.stateRoot)) {
      for (const id of readdirSync(this.stateRoot)) {
        if (!id.startsWith('.')) await this.command(['delete', '--force', id])
      }
    }
    for (const folder of this.cgroupFolders()) removeCgroup(folder)
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** The case's folder at /data, for a container to write what `waitForFile` reads. */
export function bindFolder({ folder }: Box) {
  return { destination: '/data', type: 'bind', source: folder, options: ['bind'] }
}

export function succeeded(result: Result): Result {
  assert.is(result.status, 0, `exit status ${result.status}: ${result.stderr || result.stdout}`)
  return result
}

export function failed(result: Result): Result {
  assert.is.not(result.status, 0, 'it succeeded')
  return result
}

/** Does the runtime have systemd make its cgroups? Paths are units then. */
export function isBySystemd({ command }: Runtime): boolean {
  return command.includes('--systemd-cgroup')
}

/** Mount points of cgroup hierarchies: v2's own, or one each of v1. */
export function hierarchies(): string[] {
  if (existsSync(`${CGROUPS}/cgroup.procs`)) return [CGROUPS]
  // Links are other names of the same: cpu and cpuacct of cpu,cpuacct.
  const folders = readdirSync(CGROUPS, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return folders.map(({ name }) => `${CGROUPS}/${name}`).filter((folder) => existsSync(`${folder}/cgroup.procs`))
}

export function removeCgroup(folder: string): void {
  if (!existsSync(folder)) return
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroup(`${folder}/${entry.name}`)
  }
  try {
    for (const pid of readFileSync(`${folder}/cgroup.procs`, 'utf8').split('\n').filter(Boolean)) {
      process.kill(Number(pid), 'SIGKILL')
    }
    rmdirSync(folder)
  } catch {
    // still in use: it is looked at once more at the end of the run, and by the leak check
  }
}
