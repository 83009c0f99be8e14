// A property of a unit, as systemd's manager takes it. org.freedesktop.systemd1(5)

import { type Value, type Variant, variant } from '../../dbus/value.ts'

export interface Property {
  readonly name: string
  readonly value: Variant
}

export function property(name: string, signature: string, value: Value): Property {
  return { name, value: variant(signature, value) }
}

/** a(sv) */
export function encodable(properties: readonly Property[]): Value[] {
  return properties.map(({ name, value }) => [name, value])
}
