// Volumes, bind mounts and their propagation.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { succeeded } from '../../box.ts'
import { BOTH, on } from '../case.ts'
import type { Session } from '../engine.ts'

/** A folder of the case, to be mounted. */
function share(engine: Session): string {
  const folder = `${engine.folder}/share`
  mkdirSync(folder)
  writeFileSync(`${folder}/file`, 'here\n')
  return folder
}

on(
  BOTH,
  'a bind mount, writable and read-only',
  async (engine) => {
    const folder = share(engine)
    assert.is(await engine.sh('cat /in/file; echo out > /in/new', '-v', `${folder}:/in`), 'here')
    assert.is(readFileSync(`${folder}/new`, 'utf8'), 'out\n')
    assert.match(await engine.sh('touch /in/x 2>&1; true', '-v', `${folder}:/in:ro`), /Read-only file system/)
    assert.match(
      await engine.sh('grep " /in " /proc/self/mountinfo', '--mount', `type=bind,src=${folder},dst=/in,readonly`),
      / \/in ro,/,
    )
  },
  { short: true },
)

on(BOTH, 'a file over a file', async (engine) => {
  const folder = share(engine)
  assert.is(await engine.sh('cat /etc/passwd', '-v', `${folder}/file:/etc/passwd:ro`), 'here')
})

on(BOTH, 'mounts in mounts, by depth', async (engine) => {
  const folder = share(engine)
  const said = await engine.sh(
    'cat /a/deep/file; touch /a/b/x && ls /a; grep -c " /a" /proc/mounts',
    ...['--tmpfs=/a', '-v', `${folder}:/a/deep`, '--tmpfs=/a/b'],
  )
  assert.is(said, 'here\nb\ndeep\n3')
})

on(BOTH, 'propagation: what the host mounts later is seen by a slave, and not by a private mount', async (engine) => {
  const folder = share(engine)
  mkdirSync(`${folder}/late`)
  const mount = async (command: string): Promise<unknown> => succeeded(await engine.host(['sh', '-c', command]))
  await mount(`mount --bind ${folder} ${folder} && mount --make-shared ${folder}`)
  const loop = 'while :; do sleep 300; done'
  const slave = await engine.launch(loop, '-v', `${folder}:/in:rslave`)
  const closed = await engine.launch(loop, '-v', `${folder}:/in:rprivate`)
  const shared = await engine.launch(loop, '-v', `${folder}:/in:rshared`, '--cap-add=SYS_ADMIN')
  await mount(`mount -t tmpfs late ${folder}/late && echo x > ${folder}/late/x`)
  assert.is(await engine.exec(slave, 'cat /in/late/x'), 'x')
  assert.is(await engine.exec(closed, 'ls /in/late | wc -l'), '0')
  await engine.exec(shared, 'mkdir /in/up && mount -t tmpfs up /in/up && echo y > /in/up/y')
  assert.is(readFileSync(`${folder}/up/y`, 'utf8'), 'y\n')
  await mount(`umount -R ${folder}`)
})

on(BOTH, 'a named volume keeps its data, and begins with the image’s', async (engine) => {
  const volume = engine.fresh()
  await engine.said('volume', 'create', volume)
  const said = await engine.sh('grep -c user /etc/passwd; echo more > /etc/more', '-v', `${volume}:/etc`)
  assert.is(said, '1')
  assert.is(await engine.sh('cat /v/more', '-v', `${volume}:/v`), 'more')
})

on(BOTH, 'volumes of another container', async (engine) => {
  const first = await engine.launch('echo x > /data/x; sleep 300', '-v', '/data')
  await engine.until(/x/, 'exec', first, 'cat', '/data/x')
  assert.is(await engine.sh('cat /data/x', '--volumes-from', first), 'x')
})

on(BOTH, 'a tmpfs with its options', async (engine) => {
  const said = await engine.sh(
    'stat -c %a /t; grep -o " /t tmpfs .*" /proc/mounts; cp /bin/busybox /t/busybox; /t/busybox true 2>&1; true',
    '--tmpfs=/t:rw,noexec,nosuid,nodev,size=4m,mode=1750',
  )
  assert.match(said, /^1750\n \/t tmpfs rw,nosuid,nodev,noexec,.*Permission denied/s)
})

on(BOTH, 'a destination that is a link of the image stays inside', async (engine) => {
  const folder = share(engine)
  const { name } = await engine.ended('ln -s /../../../../escaped /link; ln -s /no/where /dangling')
  const image = `localhost/${engine.fresh()}`
  await engine.said('commit', name, image)
  const script = 'cat /escaped/file /no/where/file'
  const mounts = ['-v', `${folder}:/link`, '-v', `${folder}:/dangling`]
  assert.is(await engine.said('run', '--rm', ...mounts, image, 'sh', '-c', script), 'here\nhere')
  assert.is.not((await engine.host(['ls', '/escaped'])).status, 0)
  await engine.said('rmi', image)
})
