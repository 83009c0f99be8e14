import * as assert from 'uvu/assert'
import { on } from '../case.ts'

const BOTH = ['podman', 'docker'] as const

on(
  BOTH,
  'run gives output, status and environment',
  async (engine) => {
    assert.is(await engine.sh('echo $IMAGE $X; pwd', '--env', 'X=y'), 'box y\n/root')
  },
  { short: true },
)
