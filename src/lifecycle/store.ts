// state.json on disk: one folder a container below --root, written whole or not at all, one writer at a time.

import { RuntError } from '../errors.ts'
import { ERRNO } from '../linux/errno.ts'
import {
  exists,
  listDirectory,
  makeDirectories,
  makeDirectory,
  status,
  tryRemoveDirectory,
  tryUnlink,
  writeFileAtomically,
} from '../native/file.ts'
import { failedWith, SyscallError } from '../native/syscall.ts'
import { CARD_FILE, EXIT_FILE, FAILURE_FILE, FOLDER_FILES, INIT_FILE } from '../plan/card.ts'
import { parseStat } from '../process/wait.ts'
import { ALREADY_EXISTS, DOES_NOT_EXIST } from '../words.ts'
import type { Container } from './container.ts'
import { isLocked, type Lock, lockIfThere, lockNewFolder } from './lock.ts'
import { checkFolder, LARGEST_RECORD, type RecordOptions, readRecord } from './trust.ts'

const NEEDS_ROOM =
  'records of containers need a folder that you may write to: set XDG_RUNTIME_DIR to one, or give --root'

/** What the names of runt's own folders begin with, and no id does. */
const OWN = '@'

/** Bytes of a record that is only shown. */
const LARGEST_FOREIGN = 4 << 20

export interface StoreOptions {
  /** That the root gets when it is made. */
  readonly mode?: number
  /** The caller has named it: that it is missing is his mistake. */
  readonly named?: boolean
  /** Whosoever it is: its records are shown, and nothing is done by them. */
  readonly foreign?: boolean
}

export class Store {
  readonly root: string
  readonly #mode: number
  readonly #named: boolean
  readonly #reading: RecordOptions
  /** Folders that have been looked at. */
  readonly #trusted = new Set<string>()

  /** @param root absolute path of the folder of all containers */
  constructor(root: string, { mode = 0o711, named = false, foreign = false }: StoreOptions = {}) {
    this.root = root
    this.#mode = mode
    this.#named = named
    this.#reading = { foreign, most: foreign ? LARGEST_FOREIGN : LARGEST_RECORD }
  }

  /** A container's folder. @throws RuntError 'state' when what is in it is not to be believed */
  directory(id: string): string {
    const path = `${this.root}/${id}`
    if (!this.#reading.foreign) {
      this.#trust(this.root, 'root')
      this.#trust(path, 'container')
    }
    return path
  }

  #trust(path: string, what: 'root' | 'container'): void {
    if (!this.#trusted.has(path) && checkFolder(path, what)) this.#trusted.add(path)
  }

  /**
   * Make a container's folder and lock it.
   * @throws RuntError when the id is taken
   */
  claim(id: string): Lock {
    const directory = this.directory(id)
    try {
      this.makeRoot()
      for (;;) {
        if (!makeDirectory(directory, 0o711)) {
          throw new RuntError('container-exists', `${ALREADY_EXISTS}: ${id}`)
        }
        const lock = lockNewFolder(directory)
        if (lock !== undefined) return lock
      }
    } catch (error) {
      if (error instanceof RuntError) throw error
      throw new RuntError('state', `${directory}: ${error instanceof Error ? error.message : error}`, { cause: error })
    }
  }

  /** The folder of all containers. @throws RuntError when it can't be made */
  makeRoot(): void {
    if (exists(this.root)) return
    try {
      makeDirectories(this.root, this.#mode)
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error
      throw new RuntError('state', `${this.root}: ${error.message}`, {
        cause: error,
        ...(failedWith(error, 'EACCES', 'EPERM', 'EROFS') ? { hint: NEEDS_ROOM } : {}),
      })
    }
  }

  /** Lock a container that exists. @throws RuntError when it doesn't */
  lock(id: string): Lock {
    const lock = this.lockIfPresent(id)
    if (lock === undefined) throw notFound(id)
    return lock
  }

  /**
   * @param patience how long to wait for another runt, in milliseconds; for ever unless told
   * @returns undefined when there is no such container (any more)
   * @throws RuntError 'container-busy' when another runt is at work on it still
   */
  lockIfPresent(id: string, patience?: number): Lock | undefined {
    return lockIfThere(`${this.directory(id)}/lock`, patience)
  }

  /**
   * Lock a container that is still on record, and not another one of its name.
   * @returns undefined when somebody has deleted it meanwhile
   */
  lockSame({ id, pid, startTime }: Container): Lock | undefined {
    const lock = this.lockIfPresent(id)
    const record = lock === undefined ? undefined : this.find(id)
    if (record?.pid === pid && record.startTime === startTime) return lock
    lock?.[Symbol.dispose]()
    return undefined
  }

  /** Is another runt at work on it right now? */
  isLocked(id: string): boolean {
    return isLocked(`${this.directory(id)}/lock`)
  }

  /** @throws RuntError 'config-invalid' when the record would be too long to be read again */
  save(container: Container): void {
    const bytes = encodeRecord(container)
    writeFileAtomically(`${this.directory(container.id)}/state.json`, bytes, 0o600)
  }

  /** Written whole or not at all: somebody may read it without the lock. */
  saveCard(id: string, card: Uint8Array): void {
    writeFileAtomically(`${this.directory(id)}/${CARD_FILE}`, card, 0o600)
  }

  /** What the front heard at the gate and could not tell; it is told once. */
  takeFailure(id: string): Uint8Array | undefined {
    const path = `${this.directory(id)}/${FAILURE_FILE}`
    const failure = readRecord(path, this.#reading)
    if (failure !== undefined) tryUnlink(path)
    return failure
  }

  /** @param status wait(2)'s, of init */
  saveExit(id: string, status: number): void {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setInt32(0, status, true)
    writeFileAtomically(`${this.directory(id)}/${EXIT_FILE}`, bytes, 0o600)
  }

  /** init's wait(2) status, if somebody saw it end and wrote it down. */
  findExit(id: string): number | undefined {
    const bytes = readRecord(`${this.directory(id)}/${EXIT_FILE}`, this.#reading)
    return bytes?.length === 4 ? new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true) : undefined
  }

  /** Where compiled filters of system calls are kept. */
  get filters(): string {
    return `${this.root}/@filters`
  }

  /**
   * A folder for CRIU to work in. It stays when CRIU fails, for its log; only so many do.
   * @throws RuntError when it can't be made
   */
  makeWorkFolder(id: string): string {
    this.makeRoot()
    const all = `${this.root}/${OWN}criu`
    makeDirectory(all, 0o700)
    removeOldest(all, MOST_WORK_FOLDERS)
    const path = `${all}/${id}`
    makeDirectory(path, 0o700)
    return path
  }

  /** Its work is done, and nobody wants to know more. */
  removeWorkFolder(id: string): void {
    removeTree(`${this.root}/${OWN}criu/${id}`)
  }

  /** @throws RuntError when there is no such container, or its state can't be read */
  load(id: string): Container {
    const container = this.find(id)
    if (container === undefined) throw notFound(id)
    return container
  }

  /** The record; undefined when there is none (no folder, or one that create had no time to fill). */
  find(id: string): Container | undefined {
    const path = `${this.directory(id)}/state.json`
    const text = this.#text(path)
    if (text === undefined) return undefined
    try {
      const record: unknown = JSON.parse(text)
      if (!isRecordOf(record, id)) throw new TypeError('not the record of this container')
      return record.phase === 'creating' ? this.#created(record) : record
    } catch (error) {
      throw new RuntError('state', `${path}: ${error instanceof Error ? error.message : error}`, {
        cause: error,
        hint: `runt delete --force ${id} removes what is left of it`,
      })
    }
  }

  /** A container whose own image made it: the file beside the record says that it is there, and which process it is. */
  #created(record: Container): Container {
    const stat = this.#text(`${this.directory(record.id)}/${INIT_FILE}`)
    if (stat === undefined) return record
    return { ...record, phase: 'created', pid: Number.parseInt(stat, 10), startTime: parseStat(stat).startTime }
  }

  #text(path: string): string | undefined {
    const bytes = readRecord(path, this.#reading)
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes)
  }

  /** Does the folder of this name hold a container's record that we may read? For names that nobody promised to be ids. */
  isOnRecord(name: string): boolean {
    try {
      return this.find(name) !== undefined
    } catch {
      return false
    }
  }

  /** Is there a folder for it, with or without a record? */
  has(id: string): boolean {
    return exists(this.directory(id))
  }

  /** Ids of all containers; none when the root doesn't exist. @throws SyscallError when it was named, and doesn't */
  ids(): string[] {
    if (!this.#reading.foreign) this.#trust(this.root, 'root')
    try {
      return listDirectory(this.root)
        .filter(({ kind, name }) => kind === 'directory' && !name.startsWith(OWN))
        .map(({ name }) => name)
        .sort()
    } catch (error) {
      if (failedWith(error, 'ENOENT') && !this.#named) return []
      throw error
    }
  }

  /** Take away a folder that create had no time to fill. @returns false when there is something in it */
  removeEmpty(id: string): boolean {
    return tryRemoveDirectory(this.directory(id)) === 0
  }

  /** Take a container's folder away, with all that is in it. */
  remove(id: string): void {
    const directory = this.directory(id)
    for (const name of FOLDER_FILES) tryUnlink(`${directory}/${name}`)
    let result = tryRemoveDirectory(directory)
    if (result === -ERRNO.ENOTEMPTY || result === -ERRNO.EEXIST) {
      emptyDirectory(directory)
      result = tryRemoveDirectory(directory)
    }
    if (result < 0 && result !== -ERRNO.ENOENT) throw new SyscallError('unlinkat', -result, directory)
  }
}

const MOST_WORK_FOLDERS = 32

/** Make room for one more folder. */
function removeOldest(directory: string, most: number): void {
  const found = listDirectory(directory).map(({ name }) => {
    const path = `${directory}/${name}`
    return { path, at: status(path)?.modified.seconds ?? 0n }
  })
  found.sort((one, other) => (one.at < other.at ? -1 : 1))
  for (const { path } of found.slice(0, Math.max(0, found.length - most + 1))) removeTree(path)
}

/** A folder that need not be there. */
function removeTree(directory: string): void {
  if (status(directory) === undefined) return
  emptyDirectory(directory)
  tryRemoveDirectory(directory)
}

/** All that is in it, whoever put it there; links are not followed. */
function emptyDirectory(directory: string): void {
  for (const { name, kind } of listDirectory(directory)) {
    const path = `${directory}/${name}`
    if (kind === 'other') tryUnlink(path)
    else {
      emptyDirectory(path)
      tryRemoveDirectory(path)
    }
  }
}

/**
 * A record's text, as bytes.
 * @throws RuntError 'config-invalid' when it would be too long to be read again
 */
export function encodeRecord(container: Container): Uint8Array {
  const bytes = new TextEncoder().encode(JSON.stringify(container))
  if (bytes.length <= LARGEST_RECORD) return bytes
  throw new RuntError('config-invalid', `config.json: what is to be kept of it is larger than ${LARGEST_RECORD} bytes`)
}

/** save writes a record whole or not at all: what has the beginning of one is one. */
function isRecordOf(value: unknown, id: string): value is Container {
  if (typeof value !== 'object' || value === null || !('version' in value && 'id' in value)) return false
  return value.version === 1 && value.id === id
}

/** The words that engines know. */
export function notFound(id: string): RuntError {
  return new RuntError('container-not-found', `${DOES_NOT_EXIST}: ${id}`)
}
