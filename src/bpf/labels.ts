// Places in a straight list of instructions, by name. Both of the kernel's BPF machines jump by instruction counts,
// and nobody should count by hand.

export interface Label {
  readonly label: string
}

export function label(name: string): Label {
  return { label: name }
}

export function isLabel(item: object): item is Label {
  return 'label' in item
}

/**
 * Take the labels out of a program.
 * @returns the instructions, and for each label the index of the instruction that follows it
 * @throws RangeError when a label stands twice
 */
export function placeLabels<T extends object>(
  items: readonly (T | Label)[],
): { readonly instructions: readonly T[]; readonly places: ReadonlyMap<string, number> } {
  const instructions: T[] = []
  const places = new Map<string, number>()
  for (const item of items) {
    if (!isLabel(item)) instructions.push(item)
    else if (places.has(item.label)) throw new RangeError(`label ${item.label} stands twice`)
    else places.set(item.label, instructions.length)
  }
  return { instructions, places }
}

/** How many instructions lie between the one at `from` and a label. @throws RangeError when there is no such label */
export function distance(places: ReadonlyMap<string, number>, name: string, from: number): number {
  const place = places.get(name)
  if (place === undefined) throw new RangeError(`no label ${name}`)
  return place - from - 1
}
