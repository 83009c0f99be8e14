// Device rules → DevicePolicy and DeviceAllow, in step with runt's own program or list: with both at work a device needs both, so
// systemd's say the same, or more where they can't say it. systemd.resource-control(5). Pure.

import type { DeviceRule } from '../../config/types.ts'
import { ACCESS, DEFAULT_DEVICE_RULES, type DeviceCell, devicePolicy } from '../device-policy.ts'
import { type Property, property } from './property.ts'

const CLASSES = { c: 'char', b: 'block' } as const
const ALL = ACCESS.r | ACCESS.w | ACCESS.m

/** @param rules linux.resources.devices; the default ones are added here */
export function deviceProperties(rules: readonly DeviceRule[]): Property[] {
  const cells = devicePolicy([...rules, ...DEFAULT_DEVICE_RULES])
  const everything = cells.filter(({ major, minor }) => major === undefined && minor === undefined)
  if (everything.every(({ allowed }) => allowed === ALL)) {
    return [property('DevicePolicy', 's', 'auto'), property('DeviceAllow', 'a(ss)', [])]
  }
  return [
    property('DevicePolicy', 's', 'strict'),
    property('DeviceAllow', 'a(ss)', []), // empties the list: what follows is added to it
    property('DeviceAllow', 'a(ss)', entriesOf(cells)),
  ]
}

/** Node specifiers with their letters; none that says less of a device than another. */
function entriesOf(cells: readonly DeviceCell[]): [string, string][] {
  const letters = new Map<string, number>()
  for (const cell of cells) {
    if (cell.allowed === 0) continue
    const node = nodeOf(cell)
    letters.set(node, (letters.get(node) ?? 0) | cell.allowed)
  }
  return [...letters].map(([node, bits]) => [node, lettersOf(bits)])
}

/** There is no word for a minor number of all drivers: all devices then. */
function nodeOf({ kind, major, minor }: DeviceCell): string {
  if (major === undefined) return `${CLASSES[kind]}-*`
  return minor === undefined ? `${CLASSES[kind]}-${major}` : `/dev/${CLASSES[kind]}/${major}:${minor}`
}

function lettersOf(bits: number): string {
  return (['r', 'w', 'm'] as const).filter((letter) => (bits & ACCESS[letter]) !== 0).join('')
}
