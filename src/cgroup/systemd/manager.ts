// The conversation with systemd's manager, over D-Bus. org.freedesktop.systemd1(5)

import { setTimeout as sleep } from 'node:timers/promises'
import { socketsOf } from '../../dbus/address.ts'
import { Bus, type Call } from '../../dbus/bus.ts'
import { BusError, BusUnreachable } from '../../dbus/errors.ts'
import { isVariant, type Value } from '../../dbus/value.ts'
import { RuntError } from '../../errors.ts'
import { callerEnvironment } from '../../native/caller.ts'
import { exists } from '../../native/file.ts'
import { encodable, type Property } from './property.ts'
import type { ManagerKind } from './unit.ts'

/** How long systemd may take for one of the operations below, with all that is said for it, in milliseconds. */
const PATIENCE = 30_000
/** How long a unit of the same name may take to go. */
const GOING = 10_000
const PAUSE = 50

const SYSTEMD = 'org.freedesktop.systemd1'
const OBJECT = '/org/freedesktop/systemd1'
const MANAGER = `${SYSTEMD}.Manager`
const NO_SUCH_UNIT = `${SYSTEMD}.NoSuchUnit`
const UNIT_EXISTS = `${SYSTEMD}.UnitExists`

export interface ManagerOptions {
  readonly patience?: number
  /** Where the sockets' addresses are looked up. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/** A connection to the manager of the machine or of the user. Dispose of it. */
export class UnitManager implements Disposable {
  readonly #bus: Bus
  readonly #patience: number
  /** systemd's release number: 252. */
  readonly release: number
  /** The cgroup below which its units are: "" for the machine's. */
  readonly root: string

  private constructor(bus: Bus, patience: number, release: number, root: string) {
    this.#bus = bus
    this.#patience = patience
    this.release = release
    this.root = root
  }

  /** @throws RuntError 'cgroup' when it isn't there or doesn't answer */
  static async open(kind: ManagerKind, options: ManagerOptions = {}): Promise<UnitManager> {
    const { patience = PATIENCE, environment = callerEnvironment() } = options
    const deadline = performance.now() + patience
    const bus = await connect(kind, deadline, environment)
    try {
      await bus.subscribe(`type='signal',interface='${MANAGER}',member='JobRemoved'`, deadline)
      // Without a subscriber the manager doesn't say when a job is done.
      await bus.call(methodOf('Subscribe'), deadline)
      const version = await getProperty(bus, OBJECT, MANAGER, 'Version', deadline)
      const root = await getProperty(bus, OBJECT, MANAGER, 'ControlGroup', deadline)
      const release = Number(/\d+/.exec(`${version}`)?.[0] ?? 0)
      return new UnitManager(bus, patience, release, `${root}`.replace(/\/$/, ''))
    } catch (error) {
      bus[Symbol.dispose]()
      throw explain(error, 'systemd')
    }
  }

  [Symbol.dispose](): void {
    this.#bus[Symbol.dispose]()
  }

  /**
   * Start a transient unit. What is left of one that has failed goes first.
   * @throws RuntError 'cgroup' when there is a unit of that name, systemd refuses, or doesn't finish in time
   */
  async start(unit: string, properties: readonly Property[]): Promise<void> {
    const call = methodOf('StartTransientUnit', 'ssa(sv)a(sa(sv))', [unit, 'replace', encodable(properties), []], 'o')
    const deadline = this.#deadline()
    for (const gone = performance.now() + GOING; ; ) {
      try {
        await this.#finish(unit, 'start', await this.#bus.call(call, deadline), deadline)
        return
      } catch (error) {
        if (!(error instanceof BusError && error.errorName === UNIT_EXISTS)) throw explain(error, unit)
        await this.#forget(unit, deadline, performance.now() > gone, error)
        await sleep(PAUSE)
      }
    }
  }

  /** Stop a unit, and let systemd forget how it ended. One that isn't there is stopped. @throws RuntError 'cgroup' */
  async stop(unit: string): Promise<void> {
    await this.#about(unit, async (deadline) => {
      if ((await this.#object(unit, deadline)) === undefined) return
      const job = await this.#quietly(methodOf('StopUnit', 'ss', [unit, 'replace'], 'o'), deadline)
      if (job !== undefined) await this.#finish(unit, 'stop', job, deadline)
      await this.#quietly(methodOf('ResetFailedUnit', 's', [unit]), deadline)
    })
  }

  /** Change properties of a unit that is there, until it stops. @throws RuntError 'cgroup' */
  async setProperties(unit: string, properties: readonly Property[]): Promise<void> {
    const call = methodOf('SetUnitProperties', 'sba(sv)', [unit, true, encodable(properties)])
    await this.#about(unit, (deadline) => this.#bus.call(call, deadline))
  }

  /** What tells this run of a unit from an earlier or later one of that name; undefined when there is none. */
  async invocation(unit: string): Promise<string | undefined> {
    const id = await this.#about(unit, (deadline) => this.#property(unit, 'InvocationID', deadline))
    return id instanceof Uint8Array && id.length > 0 ? Buffer.from(id).toString('hex') : undefined
  }

  /** Move processes into a unit's cgroup, where they may not go by themselves. @param below "" or "/path" in it */
  async attach(unit: string, below: string, pids: readonly number[]): Promise<void> {
    const call = methodOf('AttachProcessesToUnit', 'ssau', [unit, below, [...pids]])
    await this.#about(unit, (deadline) => this.#bus.call(call, deadline))
  }

  #deadline(): number {
    return performance.now() + this.#patience
  }

  /** One operation: its deadline, and its errors in words. */
  async #about<Result>(unit: string, operate: (deadline: number) => Promise<Result>): Promise<Result> {
    try {
      return await operate(this.#deadline())
    } catch (error) {
      throw explain(error, unit)
    }
  }

  /** What is left of a unit that ended; one that ends gets time. @throws RuntError 'cgroup' for one that doesn't go */
  async #forget(unit: string, deadline: number, isLate: boolean, cause: unknown): Promise<void> {
    await this.#about(unit, async () => {
      const state = `${(await this.#property(unit, 'ActiveState', deadline)) ?? 'inactive'}`
      if (state === 'failed') await this.#quietly(methodOf('ResetFailedUnit', 's', [unit]), deadline)
      if (PASSING.includes(state) && !isLate) return
      throw new RuntError('cgroup', `${unit}: systemd has a unit of that name already (${state})`, { cause })
    })
  }

  /** The path of a unit that systemd knows. */
  async #object(unit: string, deadline: number): Promise<string | undefined> {
    const answer = await this.#quietly(methodOf('GetUnit', 's', [unit], 'o'), deadline)
    return answer === undefined ? undefined : `${answer[0]}`
  }

  async #property(unit: string, name: string, deadline: number): Promise<Value | undefined> {
    const object = await this.#object(unit, deadline)
    if (object === undefined) return undefined
    return getProperty(this.#bus, object, `${SYSTEMD}.Unit`, name, deadline)
  }

  /** A call about a unit that may be gone. */
  async #quietly(call: Call, deadline: number): Promise<readonly Value[] | undefined> {
    try {
      return await this.#bus.call(call, deadline)
    } catch (error) {
      if (error instanceof BusError && error.errorName === NO_SUCH_UNIT) return undefined
      throw error
    }
  }

  /** Wait for the end of a job. */
  async #finish(unit: string, what: string, [job]: readonly Value[], deadline: number): Promise<void> {
    const isOurs = ({ member, body }: { member?: string; body: readonly Value[] }) =>
      member === 'JobRemoved' && body[1] === job
    const { body } = await this.#bus.signal(isOurs, deadline)
    const result = `${body[3]}`
    if (result === 'done') return
    throw new RuntError('cgroup', `${unit}: systemd could not ${what} it: ${result}`, {
      hint: `journalctl -u ${unit} may tell more`,
    })
  }
}

/** States of a unit that pass by themselves. */
const PASSING = ['failed', 'inactive', 'deactivating']

/** @param answer its signature; "" where nothing matters of it but that it came */
function methodOf(member: string, signature = '', body: readonly Value[] = [], answer = ''): Call {
  const call = { destination: SYSTEMD, path: OBJECT, interface: MANAGER, member, signature, body }
  return answer === '' ? call : { ...call, answer }
}

async function getProperty(bus: Bus, path: string, owner: string, name: string, deadline: number): Promise<Value> {
  const properties = { destination: SYSTEMD, path, interface: 'org.freedesktop.DBus.Properties' }
  const get = { ...properties, member: 'Get', signature: 'ss', body: [owner, name], answer: 'v' }
  const [answer] = await bus.call(get, deadline)
  if (answer === undefined || !isVariant(answer)) throw new BusUnreachable(`systemd has no ${name}`)
  return answer.value
}

type Environment = Readonly<Record<string, string | undefined>>

/** By the bus, or, where there is none, by the manager's own socket. */
async function connect(kind: ManagerKind, deadline: number, environment: Environment): Promise<Bus> {
  const places = kind === 'system' ? systemPlaces(environment) : userPlaces(environment)
  let first: unknown
  for (const { socket, broker } of places) {
    try {
      return await Bus.connect(socket, broker, deadline)
    } catch (error) {
      first ??= error
    }
  }
  const where = kind === 'system' ? 'systemd of this machine' : 'systemd of this user'
  if (first !== undefined) throw explain(first, where)
  throw new RuntError('cgroup', `${where}: neither XDG_RUNTIME_DIR nor DBUS_SESSION_BUS_ADDRESS says where it is`, {
    hint: HINT,
  })
}

interface Place {
  readonly socket: string
  readonly broker: boolean
}

function systemPlaces({ DBUS_SYSTEM_BUS_ADDRESS: address }: Environment): Place[] {
  if (address !== undefined && address !== '') return socketsOf(address).map((socket) => ({ socket, broker: true }))
  return [{ socket: '/run/dbus/system_bus_socket', broker: true }, ...ownSocket('/run/systemd/private')]
}

function userPlaces({ DBUS_SESSION_BUS_ADDRESS: address, XDG_RUNTIME_DIR: folder }: Environment): Place[] {
  const places = socketsOf(address ?? '').map((socket) => ({ socket, broker: true }))
  if (folder === undefined || folder === '') return places
  return [...places, { socket: `${folder}/bus`, broker: true }, ...ownSocket(`${folder}/systemd/private`)]
}

function ownSocket(socket: string): Place[] {
  return exists(socket) ? [{ socket, broker: false }] : []
}

const HINT = 'is systemd there, and does D-Bus run? Without --systemd-cgroup runt makes the cgroups itself'

/** An error of the bus as one for people. @param about unit, or who doesn't answer */
function explain(error: unknown, about: string): unknown {
  if (error instanceof BusUnreachable) {
    return new RuntError('cgroup', `${about}: ${error.message}`, { cause: error, hint: HINT })
  }
  if (!(error instanceof BusError)) return error
  return new RuntError('cgroup', `${about}: systemd refuses: ${error.message}`, {
    cause: error,
    data: { busError: error.errorName },
  })
}
