// A run of the cases inside the world: engine after engine, on each two cases at a time.

import './cases/all.ts'
import { endingOf, judge, type Outcome, readDeviations } from '../outcome.ts'
import { allCases, type EngineCase, nameOf } from './case.ts'
import { startContainerd } from './containerd.ts'
import { startDocker } from './docker.ts'
import { type Engine, type EngineName, Session, type World } from './engine.ts'
import { startBuildah, startPodman } from './podman.ts'

const AT_ONCE = 2
const START: Readonly<Record<EngineName, (world: World) => Promise<Engine>>> = {
  podman: startPodman,
  buildah: startBuildah,
  docker: startDocker,
  containerd: startContainerd,
}

/** The cases whose names have one of the words, or of the short set. */
export function chooseCases(words: readonly string[], short: boolean): readonly EngineCase[] {
  return allCases()
    .filter((each) => !short || each.short)
    .filter((each) => words.length === 0 || words.some((word) => nameOf(each).includes(word)))
}

/** @param onEnd is told each outcome as it comes */
export async function runCases(
  chosen: readonly EngineCase[],
  world: World,
  onEnd: (outcome: Outcome) => void,
): Promise<void> {
  const deviations = readDeviations(world.runtime.name)
  for (const [name, start] of Object.entries(START)) {
    const waiting = chosen.filter(({ engine }) => engine === name)
    if (waiting.length === 0) continue
    await using engine = await start(world)
    const worker = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const started = performance.now()
        const ending = judge(await endingOf(() => runCase(next, engine)), deviations.get(nameOf(next)))
        onEnd({ name: nameOf(next), ending, milliseconds: performance.now() - started })
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
  }
}

async function runCase(next: EngineCase, engine: Engine): Promise<void> {
  await using session = new Session(engine)
  await next.body(session)
}
