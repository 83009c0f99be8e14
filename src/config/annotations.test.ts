import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Changes, configWith } from './fixtures.ts'
import { normalize } from './normalize.ts'
import { type Finding, reporter } from './problems.ts'
import { validateText } from './validate.ts'

async function normal(changes: Changes) {
  const verdict = await validateText(JSON.stringify(configWith(changes)))
  if (verdict.kind !== 'valid')
    throw new Error(verdict.problems.map(({ place, message }) => `${place}: ${message}`).join())
  const findings: Finding[] = []
  const config = normalize(verdict.config, '/b', '', reporter(findings, 'ignored'))
  return { config, ignored: findings.map(({ message }) => message) }
}

const NOTIFY = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }] }

test('an annotation is the path of the agent, unless the config has one', async () => {
  const annotations = { 'run.oci.seccomp.receiver': '/agent' }
  const { config, ignored } = await normal({ '/annotations': annotations, '/linux/seccomp': NOTIFY })
  assert.is(config.linux.seccomp?.listenerPath, '/agent')
  assert.equal(ignored, [])
  const both = await normal({ '/annotations': annotations, '/linux/seccomp': { ...NOTIFY, listenerPath: '/own' } })
  assert.is(both.config.linux.seccomp?.listenerPath, '/own')
})

test('a path of an agent that is not absolute is refused, wherever it stands', async () => {
  const annotations = { 'run.oci.seccomp.receiver': 'agent' }
  try {
    await normal({ '/annotations': annotations, '/linux/seccomp': NOTIFY })
    assert.unreachable()
  } catch (error) {
    assert.match((error as Error).message, /listenerPath: must be an absolute path/)
  }
})

test('what crun has and runt has not is named once', async () => {
  const { ignored } = await normal({
    '/annotations': {
      'run.oci.systemd.subgroup': 'x',
      'run.oci.hooks.stdout': '/x',
      'run.oci.keep_original_groups': '1',
      'org.x': '',
    },
  })
  assert.equal(ignored, ['runt has nothing of the kind, and ignores run.oci.systemd.subgroup, run.oci.hooks.stdout'])
})

test.run()
