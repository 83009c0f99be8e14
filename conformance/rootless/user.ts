// An ordinary user, made for a test: an id that nobody has, a home with a bundle, and runt where he can execute it.
// Names and ranges that he needs (/etc/passwd, /etc/subuid) are mounted over the machine's in a mount namespace of his own.

import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import * as assert from 'uvu/assert'
import { hierarchies, removeCgroup, succeeded } from '../box.ts'
import { linkBuilt, missingForTests } from '../built.ts'
import { type Edits, edited, makeRootfs } from '../bundle.ts'
import { execute, type Result } from '../runtime.ts'

/** Nobody's, on a machine where ids are given out from 1000 and from 60000 on. */
export const UID = 54321
/** What /etc/subuid and /etc/subgid grant him. */
export const GRANTED = { first: 3_000_000, size: 65536 }

const NAME = 'runt-test-user'
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const RUNC = '/usr/sbin/runc'

/** @returns why tests of ordinary users can't run here */
export function missingForUsers(): string | undefined {
  const missing = missingForTests()
  if (missing !== undefined) return missing
  const asUser = (...words: string[]): number | null => spawnSync('setpriv', [...identity(UID), ...words]).status
  if (asUser('true') !== 0) return 'needs setpriv(1)'
  return asUser('unshare', '--user', 'true') === 0 ? undefined : 'ordinary users get no user namespaces here'
}

/** @returns why runc can't be compared with */
export function missingRunc(): string | undefined {
  return existsSync(RUNC) ? undefined : 'needs runc'
}

function identity(uid: number): string[] {
  return ['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups', '--inh-caps=-all']
}

export interface CommandOptions {
  /** Beside PATH and XDG_RUNTIME_DIR; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Has he a name, and ranges of ids? */
  readonly granted?: boolean
  /** What root does first, in the mount namespace that the command gets. */
  readonly prepare?: string
  readonly uid?: number
}

let users = 0

export class User implements AsyncDisposable {
  readonly folder: string
  readonly bundle: string
  readonly rootfs: string
  readonly runtimeDirectory: string
  readonly runt: string
  readonly id = `user-${process.pid}-${++users}`
  #commands = 0

  constructor() {
    this.folder = mkdtempSync(`${tmpdir()}/runt-user-`)
    chmodSync(this.folder, 0o755)
    this.runt = linkBuilt(`${this.folder}/runtime`)
    this.bundle = `${this.folder}/bundle`
    this.rootfs = `${this.bundle}/rootfs`
    this.runtimeDirectory = `${this.folder}/run`
    for (const folder of [this.bundle, this.runtimeDirectory]) {
      mkdirSync(folder, { mode: 0o700 })
      chownSync(folder, UID, UID)
    }
    mkdirSync(`${this.folder}/output`)
    makeRootfs(this.rootfs, this.folder)
    succeededSync('chown', ['-R', `${UID}:${UID}`, this.bundle])
  }

  /** What runs a program as the user. */
  words(words: readonly string[], { env = {}, uid = UID }: Pick<CommandOptions, 'env' | 'uid'> = {}): string[] {
    const variables = { PATH, XDG_RUNTIME_DIR: this.runtimeDirectory, ...env }
    const assigned = Object.entries(variables).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${value}`],
    )
    return ['setpriv', ...identity(uid), 'env', '-i', ...assigned, ...words]
  }

  /** Any program, as the user, in the bundle. */
  async command(words: readonly string[], options: CommandOptions = {}): Promise<Result> {
    const { granted = false, prepare = '' } = options
    const asUser = this.words(words, options)
    const script = `${granted ? this.#grant() : ''}${prepare}`
    const command = script === '' ? asUser : ['unshare', '-m', 'sh', '-ec', `${script}\nexec "$@"`, 'sh', ...asUser]
    return execute(command, `${this.folder}/output/${++this.#commands}`, { cwd: this.bundle })
  }

  /** A name and ranges for the user, in a mount namespace of their own. */
  #grant(): string {
    const range = `${NAME}:${GRANTED.first}:${GRANTED.size}\n`
    const own = `${NAME}:x:${UID}:${UID}::${this.folder}:/bin/sh\n`
    const files = {
      passwd: readFileSync('/etc/passwd', 'utf8') + own,
      group: `${readFileSync('/etc/group', 'utf8')}${NAME}:x:${UID}:\n`,
      subuid: range,
      subgid: range,
    }
    const upper = `${this.folder}/etc`
    for (const folder of [upper, `${upper}.work`]) mkdirSync(folder, { recursive: true })
    for (const [name, text] of Object.entries(files)) writeFileSync(`${upper}/${name}`, text)
    return `mount -t overlay -o lowerdir=/etc,upperdir=${upper},workdir=${upper}.work overlay /etc\n`
  }

  /** config.json as `runt spec --rootless` writes it, without a terminal, and with these changes. */
  async configure(edits: Edits = {}): Promise<void> {
    rmSync(`${this.bundle}/config.json`, { force: true })
    succeeded(await this.command([this.runt, 'spec', '--rootless']))
    const written = JSON.parse(readFileSync(`${this.bundle}/config.json`, 'utf8')) as Record<string, unknown> // an object
    const config = edited(written, { '/process/terminal': false, '/root/readonly': false, ...edits })
    writeFileSync(`${this.bundle}/config.json`, JSON.stringify(config))
  }

  /** `run` of a shell script. */
  async run(script: string, edits: Edits = {}, options: CommandOptions = {}, runtime = this.runt): Promise<Result> {
    await this.configure({ ...edits, '/process/args': ['sh', '-c', script] })
    return this.command([runtime, 'run', this.id], options)
  }

  /** What the script prints when it ends well. */
  async sh(script: string, edits: Edits = {}, options: CommandOptions = {}): Promise<string> {
    return succeeded(await this.run(script, edits, options)).stdout.trim()
  }

  /** The same by runc. */
  async byRunc(script: string, edits: Edits = {}, options: CommandOptions = {}): Promise<string> {
    return succeeded(await this.run(script, edits, options, RUNC)).stdout.trim()
  }

  /** A `run` that must be refused, and then leave nothing. @returns what it says */
  async refused(edits: Edits, options: CommandOptions = {}): Promise<string> {
    const result = await this.run('true', edits, options)
    assert.is.not(result.status, 0, 'it was accepted')
    assert.equal((await this.command([this.runt, 'list', '--quiet'])).stdout, '', 'a record is left')
    return result.stderr
  }

  /** Any command of runt's. @returns what it prints */
  async said(...words: string[]): Promise<string> {
    return succeeded(await this.command([this.runt, ...words])).stdout.trim()
  }

  /** A shell script in a container that is started when this is back. */
  async launch(script: string, edits: Edits = {}, options: CommandOptions = {}): Promise<void> {
    await this.create(script, edits, options)
    await this.said('start', this.id)
  }

  async create(script: string, edits: Edits = {}, options: CommandOptions = {}): Promise<void> {
    await this.configure({ ...edits, '/process/args': ['sh', '-c', script] })
    succeeded(await this.command([this.runt, 'create', this.id], options))
  }

  async status(): Promise<string> {
    return (await this.#state()).status
  }

  /** init's. */
  async pid(): Promise<number> {
    return (await this.#state()).pid
  }

  async #state(): Promise<{ status: string; pid: number }> {
    return JSON.parse(await this.said('state', this.id)) as { status: string; pid: number } // runt's own words
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.command([this.runt, 'delete', '--force', this.id])
    for (const hierarchy of hierarchies()) removeCgroup(`${hierarchy}/${this.id}`)
    rmSync(this.folder, { recursive: true, force: true })
  }
}

function succeededSync(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  assert.is(status, 0, stderr)
}
