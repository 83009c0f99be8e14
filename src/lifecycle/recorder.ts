// Where the time of a start goes, in runt and in init, as a table.

import { printSteps } from '../plan/print.ts'
import type { Plan } from '../plan/step.ts'
import type { Profile } from './profile.ts'

interface StepTime {
  readonly ticks: number
  readonly text: string
  readonly origin: string
}

/** Collects marks and steps; `print` gives the table. */
export class Recorder implements Profile {
  readonly #marks: { stage: string; at: number }[] = [{ stage: 'engine, command line', at: performance.now() }]
  #steps: StepTime[] = []

  mark(stage: string): void {
    this.#marks.push({ stage, at: performance.now() })
  }

  steps(plan: Plan, table: Uint8Array): void {
    const view = new DataView(table.buffer, table.byteOffset, table.length)
    const texts = printSteps(plan)
    const stamps = plan.steps
      .slice(0, Math.floor(table.length / 8))
      .map(({ origin }, index) => ({ origin, text: texts[index] ?? '', at: view.getBigUint64(8 * index, true) }))
      .filter(({ at }) => at !== 0n)
      .sort((one, other) => (one.at < other.at ? -1 : 1))
    this.#steps = stamps.flatMap(({ origin, text, at }, index) => {
      const next = stamps[index + 1]
      if (next === undefined) return []
      return [{ ticks: Number(next.at - at), text, origin }]
    })
  }

  /**
   * Stages of runt in microseconds since the engine started, then init's steps. Their unit is found by laying the time
   * between init's birth and its `ready` over the sum of its ticks.
   */
  print(): string {
    const lines = ['runt: microseconds since start']
    let last = 0
    for (const { stage, at } of this.#marks) {
      lines.push(`${micro(at)}  +${micro(at - last)}  ${stage}`)
      last = at
    }
    const spawned = this.#marks.find(({ stage }) => stage === 'spawn')?.at
    const ready = this.#marks.find(({ stage }) => stage === 'init ready')?.at
    if (this.#steps.length === 0 || spawned === undefined || ready === undefined) return `${lines.join('\n')}\n`
    const ticks = this.#steps.reduce((sum, step) => sum + step.ticks, 0)
    const scale = (ready - spawned) / ticks
    lines.push('init: microseconds a step (from spawn to ready laid over its time stamps)')
    for (const step of this.#steps) lines.push(`${micro(step.ticks * scale)}  ${step.text}`)
    return `${lines.join('\n')}\n`
  }
}

function micro(milliseconds: number): string {
  return (milliseconds * 1000).toFixed(0).padStart(8)
}
