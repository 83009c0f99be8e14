// What moves: a shell that counts, holds memory in its variables, more of it from tick to tick, and changes it. What it holds
// follows from how far it has counted, so that whoever knows the number knows every byte.

import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { PATIENCE } from '../patience.ts'
import type { Terminal } from '../terminal.ts'

const TIMES = 1024
/** Bytes of a variable: so many times its number and the tick that wrote it, as SEVEN.SEVEN: digits. */
export const BLOCK = 16 * TIMES
/** A variable more, every so many ticks; at the others one of the first quarter is written anew. */
const GROWS_EVERY = 8
const HOT = 4
const STRIDE = 7
const NUMBERS_FROM = 1_000_000
const TICK_S = 0.02 * Math.min(PATIENCE, 5)
/** Ticks are never so far apart when nobody stops the program. */
const LONG_US = 60_000 * PATIENCE

export const PORT = 5000

/**
 * Room on the heap for what comes later, as a share of what is there at the start. To the kernel a heap that grows has changed
 * altogether, and pre-dumps would be in vain; so it is made large once: variables that go again, below one that stays.
 */
const SPARE = 4

/**
 * The script of the container's init. On its terminal it answers "how N" (how far it is, and how far apart ticks were when they
 * were too far: microseconds) and "sum N" (the SHA-256 of its memory); a child of it answers each line of a TCP connection.
 * @param blocks that it has from the start
 */
export function script(blocks: number): string {
  const doubled = 'b=$b$b$b$b; '.repeat(Math.log2(TIMES) / 2)
  return `nc -l -p ${PORT} -e sh -c 'while read -r line; do echo "got $line."; done' </dev/null >/dev/null 2>&1 &
fill() { b=$((${NUMBERS_FROM}+$1)).$((${NUMBERS_FROM}+$2)):; ${doubled}eval "m$1=\\$b"; }
all() { i=0; while [ $i -lt $count ]; do eval "printf %s \\"\\$m$i\\""; i=$((i+1)); done; }
clock() { now=$EPOCHREALTIME; now=\${now%.*}\${now#*.}; }
n=0 count=0 gaps= summed=
while [ $count -lt ${blocks} ]; do fill $count 0; count=$((count+1)); done
i=0; while [ $i -lt ${Math.ceil(blocks / SPARE)} ]; do eval "s$i=$b"; i=$((i+1)); done
top=$b; while [ $i -gt 0 ]; do i=$((i-1)); unset s$i; done
echo kept >/dev/shm/kept
echo ready; clock; last=$now
while :; do
  if read -r -t ${TICK_S} word number; then
    case $word in
      how) echo "how $number: $n,$gaps." ;;
      sum) [ "$number" = "$summed" ] || { echo "sum $number: $n $count $(all | sha256sum)"; summed=$number; clock; last=$now; } ;;
    esac
  fi
  clock; passed=$((now-last)); last=$now
  if [ $passed -gt ${LONG_US} ]; then gaps="$gaps $passed"; fi
  n=$((n+1))
  if [ $((n%${GROWS_EVERY})) = 0 ]; then fill $count $n; count=$((count+1)); else fill $((n*${STRIDE}%(count/${HOT}))) $n; fi
done`
}

/** What the memory is after so many ticks, computed anew. */
export function memoryAt(ticks: number, blocks: number): { readonly count: number; readonly sum: string } {
  const written = Array.from({ length: blocks }, () => 0)
  for (let n = 1; n <= ticks; n++) {
    if (n % GROWS_EVERY === 0) written.push(n)
    else written[(n * STRIDE) % Math.floor(written.length / HOT)] = n
  }
  const hash = createHash('sha256')
  for (const [index, tick] of written.entries()) {
    hash.update(`${NUMBERS_FROM + index}.${NUMBERS_FROM + tick}:`.repeat(TIMES))
  }
  return { count: written.length, sum: hash.digest('hex') }
}

export interface Progress {
  readonly ticks: number
  /** Milliseconds between ticks, where they were too far apart. */
  readonly gaps: readonly number[]
}

let questions = 0

export async function progress(terminal: Terminal): Promise<Progress> {
  const [, ticks, gaps = ''] = await ask(terminal, 'how', String.raw`(\d+),([ \d]*)\.`)
  return {
    ticks: Number(ticks),
    gaps: gaps
      .split(' ')
      .filter(Boolean)
      .map((gap) => Number(gap) / 1000),
  }
}

/** @throws Error when its memory is another than it must be */
export async function verifyMemory(terminal: Terminal, blocks: number): Promise<void> {
  const [, ticks, count, sum] = await ask(terminal, 'sum', String.raw`(\d+) (\d+) ([\da-f]{64})`)
  const expected = memoryAt(Number(ticks), blocks)
  if (Number(count) === expected.count && sum === expected.sum) return
  throw new Error(
    `after ${ticks} ticks its memory is ${count} blocks, ${sum}; it should be ${JSON.stringify(expected)}`,
  )
}

/** Until it has counted on for so long. */
export async function work(terminal: Terminal, milliseconds: number): Promise<Progress> {
  const before = await progress(terminal)
  await sleep(milliseconds)
  const after = await progress(terminal)
  if (after.ticks <= before.ticks) throw new Error(`it stands at tick ${after.ticks}`)
  return after
}

/** A shell that reads with a time limit throws away what it has of a line when its time is up: then it is asked again. */
const AGAIN_MS = 300 * PATIENCE

/** The terminal repeats what it is told, so the answer has a colon more. */
async function ask(terminal: Terminal, word: string, answer: string): Promise<RegExpExecArray> {
  const question = `${word} ${++questions}`
  const pattern = new RegExp(`${question}: ${answer}`)
  const put = (): void => terminal.write(`${question}\n`)
  const timer = setInterval(put, AGAIN_MS)
  try {
    put()
    const found = pattern.exec(await terminal.until(pattern))
    if (found === null) throw new Error(`no answer to ${question}`)
    return found
  } finally {
    clearInterval(timer)
  }
}
