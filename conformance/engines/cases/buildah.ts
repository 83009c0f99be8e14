// Buildah by its own commands: working containers, made and committed step by step.

import { mkdirSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { capabilityBit } from '../../../src/linux/capabilities.ts'
import { on } from '../case.ts'
import { refused, type Session } from '../engine.ts'
import { IMAGE } from '../image.ts'

/** A working container. */
async function from(engine: Session, image: string, ...flags: string[]): Promise<string> {
  const name = engine.fresh()
  await engine.said('from', '--name', name, ...flags, image)
  return name
}

/** What a shell script prints in it. */
function sh(engine: Session, container: string, script: string, ...flags: string[]): Promise<string> {
  return engine.said('run', ...flags, container, '--', 'sh', '-c', script)
}

on(
  'buildah',
  'run: output, status, environment, user, working folder, host name',
  async (engine) => {
    const name = await from(engine, IMAGE)
    assert.is(
      await sh(engine, name, 'echo $IMAGE $X; pwd; hostname', '--env=X=y', '--hostname=mine'),
      'box y\n/root\nmine',
    )
    assert.is(await sh(engine, name, 'id -u; id -g; pwd', '--user=12:34', '--workingdir=/etc'), '12\n34\n/etc')
    assert.is((await engine.run(['run', name, '--', 'sh', '-c', 'exit 7'])).status, 7)
    assert.match(refused(await engine.run(['run', name, '--', 'no-such-program'])), /no-such-program/)
    assert.is(await sh(engine, name, 'echo still here'), 'still here')
  },
  { short: true },
)

on('buildah', 'the runtime may be told by --runtime, and its flags by --runtime-flag', async (engine) => {
  const name = await from(engine, IMAGE)
  const log = `${engine.folder}/runtime.log`
  const flags = [`--runtime=${engine.engine.world.runtime.path}`, '--runtime-flag=debug', `--runtime-flag=log=${log}`]
  assert.is(await sh(engine, name, 'echo here', ...flags), 'here')
  assert.is(await engine.shell(`test -e ${log} && echo written`), 'written')
})

on('buildah', 'an image from scratch: add, copy, run, configure, commit', async (engine) => {
  const name = await from(engine, 'scratch')
  await engine.said('copy', name, '/bin/busybox', '/bin/sh')
  await engine.shell(`echo text >${engine.folder}/file`)
  await engine.said('add', '--chown', '3:4', name, `${engine.folder}/file`, '/file')
  await engine.said('run', name, '/bin/sh', '-c', 'echo "$(cat /file) and more" >/made; sh -c "exit 0"')
  await engine.said('config', '--cmd', '/bin/sh -c "cat /made"', '--env', 'A=b', name)
  const image = `localhost/${engine.fresh()}`
  await engine.said('commit', name, image)
  const podman = (words: string): Promise<string> => engine.shell(`podman run --rm ${image} ${words}`)
  assert.is(await podman(''), 'text and more')
  assert.is(await podman(`/bin/sh -c 'echo $A; stat -c %u:%g /file'`), 'b\n3:4')
})

on('buildah', 'run: capabilities, mounts, limits', async (engine) => {
  const name = await from(engine, IMAGE, '--memory=64m')
  const capabilities = async (...flags: string[]): Promise<bigint> =>
    BigInt(`0x${await sh(engine, name, 'grep CapEff /proc/self/status | cut -f2', ...flags)}`)
  const [chown, netAdmin] = [capabilityBit(0), capabilityBit(12)]
  assert.is((await capabilities()) & (chown | netAdmin), chown)
  assert.is((await capabilities('--cap-drop=CAP_CHOWN', '--cap-add=CAP_NET_ADMIN')) & (chown | netAdmin), netAdmin)
  const folder = `${engine.folder}/share`
  mkdirSync(folder)
  writeFileSync(`${folder}/file`, 'here\n')
  const script = 'cat /in/file; touch /in/x 2>&1 | grep -c Read-only; grep -c " /ram tmpfs" /proc/mounts'
  const mounts = [`--volume=${folder}:/in:ro`, '--mount=type=tmpfs,dst=/ram,tmpfs-size=1m']
  assert.is(await sh(engine, name, script, ...mounts), 'here\n1\n1')
  assert.is(await sh(engine, name, 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes'), `${64 << 20}`)
  assert.match(await sh(engine, name, '(echo 1 >/proc/sys/kernel/panic) 2>&1; true'), /Read-only/)
})

on('buildah', 'run: networks', async (engine) => {
  const name = await from(engine, IMAGE)
  assert.is(await sh(engine, name, 'ls /sys/class/net', '--network=none'), 'lo')
  assert.is(
    await sh(engine, name, 'readlink /proc/self/ns/net', '--network=host'),
    await engine.shell('readlink /proc/self/ns/net'),
  )
})

on('buildah', 'run: a user namespace', async (engine) => {
  const name = await from(engine, IMAGE, '--userns-uid-map=0:100000:65536', '--userns-gid-map=0:200000:65536')
  const script =
    'tr -s " " </proc/self/uid_map; tr -s " " </proc/self/gid_map; id -u; touch /tmp/x && stat -c %u:%g /tmp/x'
  assert.is(await sh(engine, name, script), '0 100000 65536\n 0 200000 65536\n0\n0:0')
})

on('buildah', 'run in a terminal', async (engine) => {
  const name = await from(engine, IMAGE)
  const words = ['run', '--terminal', '--env=PS1=READY> ', name, '--', 'sh']
  const status = await engine.inTerminal(words, async ({ terminal }) => {
    await terminal.until(/READY> /)
    terminal.write('tty; stty size\n')
    await terminal.until(/\/dev\/pts\/0\r\n24 80\r\n/)
    terminal.write('exit 5\n')
  })
  assert.is(status, 5)
})

on('buildah', 'run reads its standard input', async (engine) => {
  const name = await from(engine, IMAGE)
  const client = engine.engine.client.join(' ')
  assert.is(await engine.shell(`seq 1 100000 | ${client} run ${name} -- wc -l`), '100000')
})
