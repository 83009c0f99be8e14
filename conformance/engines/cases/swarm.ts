// A swarm of one node: services are containers that the swarm makes, replaces and keeps alive.

import * as assert from 'uvu/assert'
import { on } from '../case.ts'
import { loadImage, startAnotherDockerd } from '../docker.ts'
import { Session, waitFor } from '../engine.ts'
import { IMAGE } from '../image.ts'

/** Its network is the host's: others take IPVS or VXLAN, which a kernel may lack. */
const FLAGS = ['--network=host', '--no-resolve-image', '--detach', '--stop-grace-period=1s', '--restart-delay=100ms']
/** One after the other, and each is watched for this long. */
const ROLLING = ['--update-parallelism=1', '--update-monitor=300ms', '--rollback-monitor=300ms']

on('docker', 'swarm: a replicated service, scaled, updated, rolled back, kept alive, and its logs', async (engine) => {
  await using docker = await startAnotherDockerd(engine.engine.world, 'docker-swarm')
  await loadImage(docker)
  await using session = new Session(docker)
  await session.said('swarm', 'init', '--advertise-addr=127.0.0.1')
  assert.is(await session.said('node', 'ls', '--format', '{{.Status}} {{.ManagerStatus}}'), 'Ready Leader')
  await session.shell(`echo hush >${session.folder}/secret`)
  await session.said('secret', 'create', 'word', `${session.folder}/secret`)
  await session.said('config', 'create', 'settings', `${session.folder}/secret`)

  const script =
    'echo "$VERSION $(cat /run/secrets/word) $(cat /settings)"; trap "exit 0" TERM; while :; do sleep 0.1; done'
  const flags = ['--replicas=2', '--env=VERSION=one', '--secret=word', '--config=source=settings,target=/settings']
  await session.said(
    'service',
    'create',
    '--name=web',
    ...FLAGS,
    ...ROLLING,
    ...flags,
    '--limit-memory=64m',
    IMAGE,
    'sh',
    '-c',
    script,
  )
  await running(session, 2, 'one')
  const logs = await session.until(/(one.*\n.*){2}/, 'service', 'logs', '--raw', 'web')
  assert.is(logs, 'one hush hush\none hush hush')

  await session.said('service', 'scale', '--detach', 'web=3')
  await running(session, 3, 'one')
  await session.said('service', 'update', '--detach', '--env-add=VERSION=two', '--update-delay=0', 'web')
  await running(session, 3, 'two')
  await session.until(/^completed$/m, 'service', 'inspect', '--format', '{{.UpdateStatus.State}}', 'web')
  await session.said('service', 'rollback', '--detach', 'web')
  await running(session, 3, 'one')
  await session.until(/^rollback_completed$/m, 'service', 'inspect', '--format', '{{.UpdateStatus.State}}', 'web')

  const [victim = ''] = await members(session)
  await session.said('kill', victim)
  await running(session, 3, 'one')
  assert.not.ok((await members(session)).includes(victim), 'the killed one is back')
  const limit = 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes'
  assert.is(await session.exec((await members(session))[0] ?? '', limit), `${64 << 20}`)

  await session.said('service', 'rm', 'web')
  await waitFor('the containers of the service to go', async () => {
    const value = await members(session)
    return { done: value.length === 0, value }
  })
  await session.said('swarm', 'leave', '--force')
})

/** The service's containers that run. */
async function members(session: Session): Promise<string[]> {
  const said = await session.said('ps', '--quiet', '--filter', 'name=web.')
  return said.split('\n').filter(Boolean)
}

/** Swarm takes five seconds to replace one. */
const PATIENCE_MS = 60_000

/** Wait until so many run, each with this version. */
async function running(session: Session, count: number, version: string): Promise<void> {
  const probe = async (): ReturnType<Parameters<typeof waitFor<string[]>>[1]> => {
    const versions = await Promise.all(
      (await members(session)).map(async (id) =>
        (await session.run(['exec', id, 'sh', '-c', 'echo $VERSION'])).stdout.trim(),
      ),
    )
    const done = versions.length === count && versions.every((each) => each === version)
    if (done) return { done, value: versions }
    const tasks = await session.said('service', 'ps', '--no-trunc', '--format', '{{.CurrentState}}: {{.Error}}', 'web')
    return { done, value: versions, seen: `${versions}\n${tasks}` }
  }
  await waitFor(`${count} of version ${version}`, probe, PATIENCE_MS)
}
