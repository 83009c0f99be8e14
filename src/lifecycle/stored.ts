// Parts of a config as a record keeps them: JSON, which has no numbers of 64 bits.

/** T with each bigint as {bigint: digits}. */
export type Stored<T> = T extends bigint
  ? { readonly bigint: string }
  : T extends object
    ? { [K in keyof T]: Stored<T[K]> }
    : T

export function stored<T>(value: T): Stored<T> {
  return mapped(value, (leaf) => (typeof leaf === 'bigint' ? { bigint: `${leaf}` } : undefined)) as Stored<T>
}

export function restored<T>(value: Stored<T>): T {
  return mapped(value, (leaf) =>
    typeof leaf === 'object' && leaf !== null && 'bigint' in leaf ? BigInt(leaf.bigint as string) : undefined,
  ) as T // the inverse of stored()
}

/** A copy with some values replaced; those for which `replace` gives undefined are copied in turn. */
function mapped(value: unknown, replace: (value: unknown) => unknown): unknown {
  const replaced = replace(value)
  if (replaced !== undefined) return replaced
  if (Array.isArray(value)) return value.map((element) => mapped(element, replace))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, mapped(member, replace)]))
}
