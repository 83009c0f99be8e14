// The engine's own process beside a container is killed: conmon, or containerd's shim.

import { existsSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { on } from '../case.ts'
import { waitFor } from '../engine.ts'

async function ended(pid: string): Promise<void> {
  await waitFor(`${pid} to end`, async () => ({ done: !existsSync(`/proc/${pid}`), value: undefined, seen: '' }))
}

on('podman', 'a container whose conmon is killed goes on, can be entered, and is removed', async (engine) => {
  const name = await engine.launch('sleep 300')
  const [pid = '', conmon = ''] = (await engine.inspect(name, '{{.State.Pid}} {{.State.ConmonPid}}')).split(' ')
  await engine.shell(`kill -9 ${conmon}`)
  await ended(conmon)
  assert.is(await engine.exec(name, 'echo alive'), 'alive')
  await engine.said('rm', '--force', '--time', '1', name)
  await ended(pid)
})

on('docker', 'a container whose shim is killed ends, and is told so', async (engine) => {
  const name = await engine.launch('sleep 300')
  const [id = '', pid = ''] = (await engine.inspect(name, '{{.Id}} {{.State.Pid}}')).split(' ')
  await engine.shell(`kill -9 $(pgrep -f "[c]ontainerd-shim-runc-v2 .*-id ${id}")`)
  await engine.until(/^exited 137$/m, 'inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', name)
  await ended(pid)
  await engine.said('rm', name)
})
