// Annotations org.systemd.property.NAME → properties of the container's scope. Pure.
//
// A config may come from afar, and a unit's properties can do much on the host (CVE-2024-3154): only those on this list are taken.

import { RuntError } from '../../errors.ts'
import { parseGVariant } from './gvariant.ts'
import { type Property, property } from './property.ts'

export const PROPERTY_PREFIX = 'org.systemd.property.'

/** Property → its type. systemd.scope(5), systemd.unit(5), systemd.resource-control(5), systemd.kill(5) */
const ALLOWED: Readonly<Record<string, string>> = {
  After: 'as',
  Before: 'as',
  BindsTo: 'as',
  CollectMode: 's',
  Conflicts: 'as',
  DefaultDependencies: 'b',
  Description: 's',
  Documentation: 'as',
  IPAccounting: 'b',
  ManagedOOMMemoryPressure: 's',
  ManagedOOMMemoryPressureLimit: 'u',
  ManagedOOMPreference: 's',
  ManagedOOMSwap: 's',
  OOMPolicy: 's',
  PartOf: 'as',
  Requires: 'as',
  RuntimeMaxUSec: 't',
  SendSIGHUP: 'b',
  SendSIGKILL: 'b',
  TimeoutStopUSec: 't',
  Wants: 'as',
}

/** Units of time as people write them; on the bus they are microseconds. */
const SECONDS = /^(.*[a-z])Sec$/

/** @throws RuntError 'config-invalid' for a property that isn't on the list, or a value that isn't of its type */
export function annotatedProperties(annotations: Readonly<Record<string, string>>): Property[] {
  return Object.entries(annotations).flatMap(([key, text]) => {
    if (!key.startsWith(PROPERTY_PREFIX)) return []
    const name = key.slice(PROPERTY_PREFIX.length)
    const pointer = `/annotations/${key}`
    const inSeconds = SECONDS.exec(name)?.[1]
    const full = inSeconds === undefined ? name : `${inSeconds}USec`
    const type = Object.hasOwn(ALLOWED, full) ? ALLOWED[full] : undefined
    if (type === undefined) {
      throw new RuntError('config-invalid', `${pointer}: not a property that a container may set`, {
        hint: `these are: ${Object.keys(ALLOWED).join(' ')}`,
      })
    }
    try {
      return [property(full, type, inSeconds === undefined ? parseGVariant(text, type) : microseconds(text))]
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new RuntError('config-invalid', `${pointer}: ${error.message}`, {
        hint: `values are GVariant text: "uint64 5000000", "'text'", "true", "['a.service']"`,
      })
    }
  })
}

const MICROSECONDS = 1e6

/** A number of seconds, of whatever type. */
function microseconds(text: string): bigint {
  const seconds = Number(/^\s*(?:[a-z]+\d*\s+)?(\d+(?:\.\d+)?)\s*$/.exec(text)?.[1] ?? Number.NaN)
  if (!Number.isFinite(seconds)) throw new RangeError(`${JSON.stringify(text)} is no number of seconds`)
  return BigInt(Math.round(seconds * MICROSECONDS))
}
