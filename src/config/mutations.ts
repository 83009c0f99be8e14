// For tests: small random changes of a JSON value. fast-check makes and shrinks their descriptions.

import fc from 'fast-check'

export interface Mutation {
  /** Which of the places in the value, as a part of all. */
  readonly place: number
  readonly change: 'replace' | 'delete' | 'add' | 'append'
  readonly name: string
  readonly value: unknown
}

const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  1,
  -1,
  -2,
  1.5,
  7,
  8,
  511,
  512,
  65536,
  4294967294,
  4294967295,
  4294967296,
  2 ** 53,
  2 ** 63,
  2 ** 64,
  2 ** 65,
  -(2 ** 63),
  -(2 ** 64),
  1e300,
  '',
  'x',
  '/',
  '/x',
  'a=b',
  'MB:1',
  'MB:\n',
  '2MB',
  '64kB',
  'SCMP_ACT_ALLOW',
  'SCHED_FIFO',
  'new',
  'disable',
  'mount',
  'rslave',
  'private',
  'c',
  'RLIMIT_CORE',
  'RLIMIT_FOO',
  [],
  [''],
  ['x'],
  [1],
  [null],
  [{}],
  {},
  { '': '' },
  { '': 1 },
  { x: 'y' },
  { x: 1 },
  { x: {} },
  { a: { hcaHandles: -1 } },
]

/** @param names property names that may be added */
export function mutation(names: readonly string[]): fc.Arbitrary<Mutation> {
  return fc.record({
    place: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    change: fc.constantFrom('replace', 'delete', 'add', 'append'),
    name: fc.oneof(fc.constantFrom(...names), fc.string({ maxLength: 2 })),
    value: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...VALUES) }, { weight: 1, arbitrary: fc.jsonValue() }),
  })
}

/** Apply one change, in place but for the outermost value. */
export function mutate(root: unknown, { place, change, name, value }: Mutation): unknown {
  const places: { readonly holder: Record<string, unknown>; readonly key: string }[] = []
  const walk = (holder: Record<string, unknown>): void => {
    for (const [key, member] of Object.entries(holder)) {
      places.push({ holder, key })
      if (typeof member === 'object' && member !== null) walk(member as Record<string, unknown>)
    }
  }
  const outer = { root } as Record<string, unknown>
  walk(outer)
  const chosen = places[Math.floor(place * places.length)]
  if (chosen === undefined) return root
  const { holder, key } = chosen
  const target = holder[key]
  const fresh = structuredClone(value)
  if (change === 'replace') holder[key] = fresh
  else if (change === 'delete' && holder !== outer)
    Array.isArray(holder) ? holder.splice(Number(key), 1) : delete holder[key]
  else if (Array.isArray(target)) target.push(fresh)
  else if (typeof target === 'object' && target !== null && name !== '__proto__')
    Object.assign(target, { [name]: fresh })
  return outer.root
}
