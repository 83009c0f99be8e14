// Annotations org.systemd.property.NAME → properties of the container's scope. Pure.
//
// A config may come from afar, and a unit's properties can do much on the host (CVE-2024-3154): start and stop other units, run
// programs, reboot. Taken is what can't do more than the container's own processes could, or ends them; all else is refused.

import { encodeValues } from '../../dbus/encode.ts'
import type { Value } from '../../dbus/value.ts'
import { propertyError } from '../../errors.ts'
import { parseSignal } from '../../linux/signals.ts'
import { step } from '../../pointer.ts'
import { parseGVariant } from './gvariant.ts'
import { INFINITY } from './properties.ts'
import { type Property, property } from './property.ts'

export const PROPERTY_PREFIX = 'org.systemd.property.'

/** What a property's value has to be. */
interface Rule {
  readonly type: string
  /** In words, where not every value of the type will do. */
  readonly form?: string
  readonly fits?: (value: Value) => boolean
}

const FLAG: Rule = { type: 'b' }

function oneOf(...words: string[]): Rule {
  return { type: 's', form: `one of ${words.join(', ')}`, fits: (value) => words.includes(`${value}`) }
}

/** What systemd loads for a scope, it keeps as long as that. */
const MOST = 16

function listOf(what: string, pattern: RegExp): Rule {
  const fits = (value: Value) =>
    Array.isArray(value) && value.length <= MOST && value.every((each) => pattern.test(each))
  return { type: 'as', form: `at most ${MOST} ${what}`, fits }
}

/** By name, with the reason. systemd.scope(5), systemd.unit(5), systemd.resource-control(5), systemd.kill(5) */
const TAKEN: Readonly<Record<string, Rule>> = {
  // Order alone: nothing is started or stopped for it. What is named stops after the container, which has TimeoutStopUSec. (Before
  // would let others wait for the container, or go in a circle with them, where systemd forgoes one of their jobs.)
  After: listOf('names of services or sockets', /^[\w:.\\-][\w:.\\@-]{0,240}\.(?:service|socket)$/),
  // When systemd forgets the container's own unit.
  CollectMode: oneOf('inactive', 'inactive-or-failed'),
  // Whether a shutdown stops the container before or with the rest: either is common.
  DefaultDependencies: FLAG,
  // Texts for people. They get into a file of systemd's that has lines.
  Description: {
    type: 's',
    form: 'one line of at most 256 characters',
    fits: (text) => /^\P{Cc}{0,256}$/u.test(`${text}`),
  },
  Documentation: listOf('links (https:, http:, file:, info:, man:)', /^(?:https?|file|info|man):[!-~]{1,250}$/),
  // Counts the container's own packets.
  IPAccounting: FLAG,
  // What its own processes get when the unit is stopped, before SIGKILL. Podman says it of every container.
  KillSignal: { type: 'i', form: 'the number of a signal', fits: (value) => parseSignal(`${value}`) !== undefined },
  // systemd-oomd may kill within the container sooner. (ManagedOOMPreference=omit would have it kill others instead.)
  ManagedOOMMemoryPressure: oneOf('auto', 'kill'),
  ManagedOOMMemoryPressureLimit: { type: 'u' },
  ManagedOOMSwap: oneOf('auto', 'kill'),
  // What becomes of the container after the kernel has killed one of its processes for memory.
  OOMPolicy: oneOf('continue', 'stop', 'kill'),
  // The end of the container.
  RuntimeMaxUSec: { type: 't' },
  // One signal more for its own processes. (SendSIGKILL=no would let them outlive the unit.)
  SendSIGHUP: FLAG,
  // How long its own processes may take after KillSignal. Without an end, a shutdown could wait for ever.
  TimeoutStopUSec: { type: 't', form: 'a time that ends', fits: (value) => value !== INFINITY },
}

/** Units of time as people write them; on the bus they are microseconds. */
const SECONDS = /^(.*[a-z])Sec$/
/** Of a value, in characters: what is taken is shorter. */
const LONGEST = 8192

/** @throws RuntError 'config-invalid' for a property that isn't in the table, or a value that its row doesn't take */
export function annotatedProperties(annotations: Readonly<Record<string, string>>): Property[] {
  return Object.entries(annotations).flatMap(([key, text]) => {
    if (!key.startsWith(PROPERTY_PREFIX)) return []
    const name = key.slice(PROPERTY_PREFIX.length)
    const pointer = `/annotations/${step(key)}`
    const inSeconds = SECONDS.exec(name)?.[1]
    const full = inSeconds === undefined ? name : `${inSeconds}USec`
    const rule = Object.hasOwn(TAKEN, full) ? TAKEN[full] : undefined
    if (rule === undefined) {
      throw propertyError('config-invalid', pointer, 'not a property that a container may set', {
        hint: `it would reach beyond the container, or linux.resources says it. These may be set: ${Object.keys(TAKEN).join(' ')}`,
      })
    }
    try {
      return [property(full, rule.type, read(text, rule, inSeconds !== undefined))]
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw propertyError('config-invalid', pointer, error.message, {
        hint: `values are GVariant text: "uint64 5000000", "'text'", "true", "['a.service']"`,
      })
    }
  })
}

/** @throws RangeError */
function read(text: string, { type, form, fits }: Rule, inSeconds: boolean): Value {
  if (text.length > LONGEST) throw new RangeError(`a value of ${text.length} characters`)
  const value = inSeconds ? microseconds(text) : parseGVariant(text, type)
  encodeValues(type, [value]) // is it within its type?
  if (fits !== undefined && !fits(value)) throw new RangeError(`${JSON.stringify(text)} is not ${form}`)
  return value
}

const MICROSECONDS = 1e6

/** A number of seconds, of whatever type. */
function microseconds(text: string): bigint {
  const seconds = Number(/^\s*(?:[a-z]+\d*\s+)?(\d+(?:\.\d+)?)\s*$/.exec(text)?.[1] ?? Number.NaN)
  if (!Number.isFinite(seconds)) throw new RangeError(`${JSON.stringify(text)} is no number of seconds`)
  return BigInt(Math.round(seconds * MICROSECONDS))
}
