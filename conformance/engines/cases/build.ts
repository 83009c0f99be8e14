// Images built from a Dockerfile: every RUN is a container.

import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { succeeded } from '../../box.ts'
import { on } from '../case.ts'
import type { EngineName, Session } from '../engine.ts'
import { IMAGE } from '../image.ts'

/** Docker's classic builder runs a container for each step; BuildKit has a case of its own. */
const CLASSIC = { DOCKER_BUILDKIT: '0' }
const BUILDERS: readonly EngineName[] = ['podman', 'buildah', 'docker']

/** What a shell script prints in a container of an image; Buildah makes a working container first. */
async function inImage(engine: Session, tag: string, script: string): Promise<string> {
  if (engine.engine.name !== 'buildah') return engine.said('run', '--rm', tag, 'sh', '-c', script)
  const container = engine.fresh()
  await engine.said('from', '--name', container, tag)
  return engine.said('run', container, '--', 'sh', '-c', script)
}

const TWO_STAGES = `FROM ${IMAGE} AS first
ARG WHAT=none
ENV A=1
RUN echo "$A $WHAT $(id -u) $(id -g)" >/said && mkdir /d && chown 12:34 /d
USER 12:34
WORKDIR /d
RUN echo "$(pwd) $(id -u) $(id -g)" >who
FROM ${IMAGE}
COPY --from=first /said /d/who /copied/
COPY --chown=5:6 given /copied/
RUN ["/bin/sh", "-c", "stat -c '%u %g' /copied/* >/owners && chmod 4755 /bin/busybox"]
ENV B=2
`

on(BUILDERS, 'build: two stages, arguments, users, working folders, copies', async (engine) => {
  const files = { Dockerfile: TWO_STAGES, given: 'given\n' }
  const { tag, result } = await engine.build(files, ['--build-arg', 'WHAT=some'], CLASSIC)
  succeeded(result)
  const said = await inImage(engine, tag, 'cd /copied; cat said who given /owners; stat -c %a /bin/busybox; echo $B')
  assert.is(said, '1 some 0 0\n/d 12 34\ngiven\n5 6\n0 0\n12 34\n4755\n2')
})

on(
  BUILDERS,
  'build: a step that fails ends it, with the status of the program',
  async (engine) => {
    const dockerfile = `FROM ${IMAGE}\nRUN echo before; exit 9\nRUN echo after\n`
    const { tag, result } = await engine.build({ Dockerfile: dockerfile }, [], CLASSIC)
    assert.is.not(result.status, 0)
    assert.match(result.stdout, /before\n/)
    assert.not.match(result.stdout, /^after$/m)
    assert.match(result.stderr, /exit status 9|non-zero code: 9/)
    assert.is.not((await engine.run(['inspect', tag])).status, 0)
  },
  { short: true },
)

on(BUILDERS, 'build: a step has namespaces of its own, and no process outlives it', async (engine) => {
  const dockerfile = `FROM ${IMAGE}
RUN for n in pid mnt ipc uts; do readlink /proc/self/ns/$n; done >/namespaces; echo $$ >>/namespaces
RUN (sleep 306 &); usleep 200000; pidof sleep | wc -w >/sleepers
RUN pidof sleep | wc -w >>/sleepers
`
  const { tag, result } = await engine.build({ Dockerfile: dockerfile }, [], CLASSIC)
  succeeded(result)
  const ours = (await engine.shell('for n in pid mnt ipc uts; do readlink /proc/self/ns/$n; done')).split('\n')
  const [sleepers, ...namespaces] = (await inImage(engine, tag, 'tr "\\n" , </sleepers; echo; cat /namespaces')).split(
    '\n',
  )
  assert.is(sleepers, '1,0,')
  assert.equal([namespaces.at(-1), namespaces.filter((each) => ours.includes(each))], ['1', []])
})

on(BUILDERS, 'build: without network, with limits', async (engine) => {
  const dockerfile = `FROM ${IMAGE}
RUN ls /sys/class/net >/links; cat /sys/fs/cgroup/memory/memory.limit_in_bytes >/limit; ulimit -n >>/limit
`
  const flags = ['--network=none', '--memory=64m', '--ulimit=nofile=100:100']
  const { tag, result } = await engine.build({ Dockerfile: dockerfile }, flags, CLASSIC)
  succeeded(result)
  assert.is(await inImage(engine, tag, 'cat /links /limit'), `lo\n${64 << 20}\n100`)
})

on(['podman', 'buildah'], 'build: mounts of a step: cache, bind, tmpfs, secret', async (engine) => {
  const dockerfile = `FROM ${IMAGE}
RUN --mount=type=cache,target=/cache echo kept >/cache/file
RUN --mount=type=cache,target=/cache cat /cache/file >/said
RUN --mount=type=bind,source=given,target=/bound cat /bound >>/said
RUN --mount=type=tmpfs,target=/ram grep -c ' /ram tmpfs' /proc/mounts >>/said
RUN --mount=type=secret,id=word cat /run/secrets/word >>/said
`
  const secret = `${engine.folder}/word`
  await engine.shell(`echo hush >${secret}`)
  const files = { Dockerfile: dockerfile, given: 'given\n' }
  const { tag, result } = await engine.build(files, [`--secret=id=word,src=${secret}`])
  succeeded(result)
  const said = await inImage(
    engine,
    tag,
    'cat /said; ls -A /cache /ram /run/secrets 2>/dev/null; test -s /bound; echo $?',
  )
  assert.match(said, /^kept\ngiven\n1\nhush\n(.*\n)*1$/)
  assert.not.match(said, /file|word/)
})

on('docker', 'build: BuildKit runs its steps by the runtime', async (engine) => {
  const files = { Dockerfile: TWO_STAGES, given: 'given\n' }
  const { tag, result } = await engine.build(files, ['--build-arg', 'WHAT=some'], { DOCKER_BUILDKIT: '1' })
  succeeded(result)
  const said = await inImage(engine, tag, 'cd /copied; cat said who given /owners; stat -c %a /bin/busybox; echo $B')
  assert.is(said, '1 some 0 0\n/d 12 34\ngiven\n5 6\n0 0\n12 34\n4755\n2')
  assert.match(readFileSync(`${engine.engine.world.folder}/docker/runc.log`, 'utf8'), / run --bundle /)
  const failing = `FROM ${IMAGE}\nRUN echo before; exit 9\n`
  const failed = await engine.build({ Dockerfile: failing }, ['--progress=plain'], { DOCKER_BUILDKIT: '1' })
  assert.is.not(failed.result.status, 0)
  assert.match(failed.result.stderr, /before\n(.*\n)*.*exit code: 9/)
})
