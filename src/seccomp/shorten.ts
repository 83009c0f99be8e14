// A shorter program that decides the same. The kernel checks, compiles and tries out a filter each time that one is loaded, so
// its length is what a start pays. libseccomp compares with every number that has a rule; but numbers with one and the same
// answer stand side by side in long ranges, and to find a range takes a comparison for each of its ends only. A single number
// within a range takes one instead of two: it is an exception.

import { assembleClassic, type ClassicInstruction, ja, jeq, jge, ldAbs, raw, ret } from '../bpf/classic.ts'
import { type Label, label } from '../bpf/labels.ts'
import { SECCOMP_DATA } from '../linux/seccomp-abi.ts'
import { CODE, type Columns, columnsOf, type Decision, decisionsOf, type Range, same, type Table } from './decisions.ts'

type Item = ClassicInstruction | Label

/** With more ranges than this a jump in a machine's part might be too long. */
const MOST_RANGES = 200

/**
 * @param machines AUDIT_ARCHs that the program has rules for, the most frequent first
 * @returns the program itself when it can't be had shorter
 */
export function shorten(program: Uint8Array, machines: readonly number[]): Uint8Array {
  const long = columnsOf(program)
  const table = decisionsOf(long, machines)
  if (table === undefined) return program
  if ([...table.machines.values()].some(({ length }) => length > MOST_RANGES)) return program
  const kept = reachable(long, table)
  const short = assembleClassic([...selection(table), ...argumentParts(long, kept)])
  return short.length < program.length && decidesSame(table, columnsOf(short), kept) ? short : program
}

/** A range, and numbers within it that are decided otherwise. */
interface Piece extends Range {
  readonly exceptions: readonly Range[]
}

/** Exceptions are asked for one after another, so a piece gets no more than these. */
const MOST_EXCEPTIONS = 4

function piecesOf(ranges: readonly Range[]): Piece[] {
  const pieces: (Piece & { exceptions: Range[] })[] = []
  for (let index = 0; index < ranges.length; index++) {
    const [range, next] = [ranges[index], ranges[index + 1]]
    const last = pieces.at(-1)
    if (range === undefined) break
    const isSingle = next !== undefined && next.first === range.first + 1
    if (last === undefined || !isSingle || !same(last.decision, next.decision)) {
      pieces.push({ ...range, exceptions: [] })
    } else {
      if (last.exceptions.length < MOST_EXCEPTIONS) last.exceptions.push(range)
      else pieces.push({ first: range.first, decision: next.decision, exceptions: [range] })
      index++
    }
  }
  return pieces
}

/** By machine, then by number, to an answer or to what looks at arguments. */
function selection({ machines, other }: Table): Item[] {
  const items: Item[] = [ldAbs(SECCOMP_DATA.arch)]
  for (const [machine, ranges] of machines) {
    items.push(jeq(machine, `machine ${machine}`), ja(`not ${machine}`), label(`machine ${machine}`))
    items.push(...machinePart(`${machine}`, ranges), label(`not ${machine}`))
  }
  return [...items, ret(other)]
}

function machinePart(machine: string, ranges: readonly Range[]): Item[] {
  const ends = new Map<string, Decision>()
  const end = (decision: Decision): string => {
    const name = `${machine} ${'returns' in decision ? `returns ${decision.returns}` : `goes to ${decision.goesTo}`}`
    ends.set(name, decision)
    return name
  }
  const pieces = piecesOf(ranges)
  const only = pieces.length === 1 ? pieces[0] : undefined
  const search = only === undefined ? tree(pieces, machine, end) : within(only, end)
  const answers = [...ends].flatMap(([name, decision]) => [
    label(name),
    'returns' in decision ? ret(decision.returns) : ja(argumentLabel(decision.goesTo)),
  ])
  return [ldAbs(SECCOMP_DATA.nr), ...search, ...answers]
}

/** A search by halves: each comparison is where a piece begins. */
function tree(pieces: readonly Piece[], machine: string, end: (decision: Decision) => string): Item[] {
  const middle = pieces.length >> 1
  const [below, above] = [pieces.slice(0, middle), pieces.slice(middle)]
  const first = above[0]?.first ?? 0
  const part = (half: readonly Piece[], name: string): [target: string, items: Item[]] => {
    const [only] = half
    if (half.length > 1 || only === undefined) return [name, [label(name), ...tree(half, machine, end)]]
    return only.exceptions.length === 0 ? [end(only.decision), []] : [name, [label(name), ...within(only, end)]]
  }
  const [belowAt, belowItems] = part(below, `${machine} below ${first}`)
  const [aboveAt, aboveItems] = part(above, `${machine} from ${first}`)
  return [jge(first, aboveAt, belowAt), ...belowItems, ...aboveItems]
}

/** Its exceptions one by one; what is none goes the piece's way. */
function within({ decision, exceptions }: Piece, end: (decision: Decision) => string): Item[] {
  if (exceptions.length === 0) return [ja(end(decision))]
  return exceptions.map(({ first, decision: other }, index) =>
    jeq(first, end(other), index === exceptions.length - 1 ? end(decision) : undefined),
  )
}

function argumentLabel(at: number): string {
  return `arguments ${at}`
}

/** Which instructions may follow on those that a table goes to, in order. */
function reachable({ code, jt, jf, k }: Columns, { machines }: Table): number[] {
  const seen = new Set<number>()
  const waiting = [...machines.values()]
    .flat()
    .flatMap(({ decision }) => ('goesTo' in decision ? [decision.goesTo] : []))
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    if (seen.has(at)) continue
    seen.add(at)
    const next = at + 1
    if (code[at] === CODE.JUMP) waiting.push(next + (k[at] ?? 0))
    else if (isConditional(code[at] ?? 0)) waiting.push(next + (jt[at] ?? 0), next + (jf[at] ?? 0))
    else if (!isReturn(code[at] ?? 0)) waiting.push(next)
  }
  return [...seen].sort((one, other) => one - other)
}

const CLASS_MASK = 0x07

function isConditional(code: number): boolean {
  return (code & CLASS_MASK) === CODE.JUMP && code !== CODE.JUMP
}

function isReturn(code: number): boolean {
  return (code & CLASS_MASK) === CODE.RETURN
}

/** Those instructions as they are, in their order: what lay between is gone, so jumps only get shorter. */
function argumentParts({ code, jt, jf, k }: Columns, kept: readonly number[]): Item[] {
  return kept.flatMap((at): Item[] => {
    const operation = code[at] ?? 0
    const constant = k[at] ?? 0
    const next = at + 1
    const here = label(argumentLabel(at))
    if (operation === CODE.JUMP) return [here, ja(argumentLabel(next + constant))]
    if (!isConditional(operation)) return [here, raw(operation, constant)]
    const [yes, no] = [next + (jt[at] ?? 0), next + (jf[at] ?? 0)]
    return [here, raw(operation, constant, argumentLabel(yes), argumentLabel(no))]
  })
}

/** The check of this stage: a program that was made shorter is read again, and must give the table that it was made from. */
function decidesSame(table: Table, short: Columns, kept: readonly number[]): boolean {
  const again = decisionsOf(short, [...table.machines.keys()])
  if (again === undefined || again.other !== table.other) return false
  const start = short.count - kept.length
  return [...table.machines].every(([machine, ranges]) => {
    const others = again.machines.get(machine) ?? []
    return (
      others.length === ranges.length &&
      ranges.every(({ first, decision }, index) => {
        const other = others[index]
        const moved = 'goesTo' in decision ? { goesTo: start + kept.indexOf(decision.goesTo) } : decision
        return other !== undefined && other.first === first && same(other.decision, moved)
      })
    )
  })
}
