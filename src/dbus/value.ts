// D-Bus values in JavaScript: numbers up to 32 bits and doubles are numbers, those of 64 bits bigints, structures and arrays
// arrays. An array of entries ({…}) is an array of pairs, "ay" a Uint8Array.

export type Value = string | number | bigint | boolean | Uint8Array | Variant | readonly Value[]

/** A value that brings its type. */
export interface Variant {
  readonly signature: string
  readonly value: Value
}

export function variant(signature: string, value: Value): Variant {
  return { signature, value }
}

export function isVariant(value: Value): value is Variant {
  return typeof value === 'object' && 'signature' in value
}
