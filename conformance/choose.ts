// Which of many things some words of the command line mean.

/**
 * Those whose names have one of the words; all without words.
 * @throws Error for a word that means none: a run of nothing would look like a success
 */
export function choose<T>(things: readonly T[], words: readonly string[], nameOf: (thing: T) => string): T[] {
  const useless = words.find((word) => !things.some((thing) => nameOf(thing).includes(word)))
  if (useless !== undefined) throw new Error(`nothing here has ${JSON.stringify(useless)} in its name`)
  return things.filter((thing) => words.length === 0 || words.some((word) => nameOf(thing).includes(word)))
}
