// A run of the cases inside the world: engine after engine, on each two cases at a time.

import './cases/all.ts'
import { skip } from '../case.ts'
import { choose } from '../choose.ts'
import { type Ending, endingOf, judge, type Outcome, readDeviations } from '../outcome.ts'
import { allCases, type EngineCase, nameOf } from './case.ts'
import { rootlessCases } from './cases/rootless.ts'
import { startContainerd } from './containerd.ts'
import { startCri } from './cri.ts'
import { startDocker } from './docker.ts'
import { type Engine, type EngineName, Session, type World } from './engine.ts'
import { missingFor } from './missing.ts'
import { startBuildah, startPodman } from './podman.ts'
import { startRootless, startRootlessDocker } from './rootless.ts'

const AT_ONCE = 2
const START: Readonly<Record<EngineName, (world: World) => Promise<Engine>>> = {
  podman: startPodman,
  rootless: startRootless,
  buildah: startBuildah,
  docker: startDocker,
  'rootless-docker': startRootlessDocker,
  containerd: startContainerd,
  cri: startCri,
}

/** The cases whose names have one of the words, or of the short set. */
export function chooseCases(words: readonly string[], short: boolean): readonly EngineCase[] {
  const cases = [...allCases(), ...rootlessCases()].filter((each) => !short || each.short)
  return choose(cases, words, nameOf)
}

/** @param onEnd is told each outcome as it comes */
export async function runCases(
  chosen: readonly EngineCase[],
  world: World,
  onEnd: (outcome: Outcome) => void,
): Promise<void> {
  const deviations = readDeviations(world.runtime.name)
  for (const name of Object.keys(START) as EngineName[]) {
    const cases = chosen.filter(({ engine }) => engine === name)
    const tell = (each: EngineCase, ending: Ending, milliseconds = 0): void =>
      onEnd({ name: nameOf(each), ending: judge(ending, deviations.get(nameOf(each))), milliseconds })
    const ending = cases.length === 0 ? undefined : await runOn(name, cases, world, tell)
    if (ending !== undefined) for (const each of cases) tell(each, ending)
  }
}

/** @returns how every case ends if the engine is not there, or does not start */
async function runOn(
  name: EngineName,
  cases: readonly EngineCase[],
  world: World,
  tell: (each: EngineCase, ending: Ending, milliseconds: number) => void,
): Promise<Ending | undefined> {
  const missing = missingFor(name)
  if (missing !== undefined) return { kind: 'skip', reason: missing }
  let engine: Engine
  try {
    engine = await START[name](world)
  } catch (error) {
    return { kind: 'fail', reason: `${error}` }
  }
  await using running = engine
  const waiting = [...cases]
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const each = next
      const started = performance.now()
      const ending = await endingOf(() => runCase(each, running))
      tell(each, ending, performance.now() - started)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return undefined
}

async function runCase(next: EngineCase, engine: Engine): Promise<void> {
  if (next.criu && engine.world.withoutCriu !== undefined) skip(engine.world.withoutCriu)
  await using session = new Session(engine)
  await next.body(session)
}
