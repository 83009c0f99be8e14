// Programs in a container that lie in wait for what exec and create bring in: what they see of it is the container's, what they
// do to it hangs nobody, and they can always be ended.

import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Box, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import { PATIENCE } from './patience.ts'
import { children } from './programs.ts'
import { findRuntime } from './runtime.ts'

/** In words, files and variables of the host alone. */
const MARK = 'of-the-host'
const EXECS = 300

const reason = missingForTests()
if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`attacks on exec (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-exec-attack-`)
  const ground = new Ground(findRuntime(linkBuilt(`${folder}/runtime`)))
  testLooks(ground)
  testSignals(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

const TRACER = ['CAP_SYS_PTRACE', 'CAP_DAC_OVERRIDE', 'CAP_KILL']
const TRACER_BITS = (1 << 19) | (1 << 1) | (1 << 5)

/**
 * A shell that forks nothing, and looks at each new process again and again, in all ways that it has. What is not the
 * container's goes to /mnt/caught, how often it came in time to /mnt/seen.
 */
const LOOKER = `
  own=; while read -r line; do own="$own $line "; done < /proc/self/cgroup
  caught() { echo "$n: $*" >> /mnt/caught; }
  look() {
    test -e $p/root/$MARK && caught root
    test -e $p/cwd/${MARK} && caught cwd
    for fd in 3 4 5 6 7 8 9 10 11 12; do
      test -f $p/fd/$fd && caught fd $fd
      test -d $p/fd/$fd && caught fd $fd
    done
    for file in cmdline environ; do
      line=; read -r line < $p/$file; case $line in *${MARK}*) caught $file ;; esac
    done
    other=; while read -r line; do case $own in *" $line "*) ;; *) other="$other $line" ;; esac; done < $p/cgroup
    # One that has ended is in no cgroup of v1 any more, and has no root.
    test -n "$other" && test -e $p/root/bin && caught cgroup $other
    while read -r name value; do
      case $name in CapPrm:|CapEff:|CapBnd:) test $((0x$value & ~${TRACER_BITS})) = 0 || caught $name $value ;; esac
    done < $p/status
  }
  n=2
  echo > /mnt/ready
  while :; do
    p=/proc/$n
    if test -d $p; then
      tries=0
      while test -d $p && test $tries -lt 20; do
        comm=; read -r comm < $p/comm
        look
        case $comm in true|'') ;; *) echo $n >> /mnt/seen ;; esac
        tries=$((tries + 1))
      done
      n=$((n + 1))
    elif test -d /proc/$((n + 1)) || test -d /proc/$((n + 2)); then n=$((n + 1))
    fi
  done 2>/dev/null`

function testLooks(ground: Ground): void {
  for (const supervised of [false, true]) {
    test(`who may trace every process sees nothing of the host in one that exec adds${supervised ? ', with runt beside it' : ''}`, async () => {
      await using box = new Box(ground)
      const shared = box.path('shared')
      mkdirSync(shared)
      writeFileSync(box.path(MARK), '')
      await box.launch(LOOKER.replaceAll('$MARK', box.path(MARK).slice(1)), {
        '/process/capabilities': { bounding: TRACER, effective: TRACER, permitted: TRACER },
        '/mounts/-': { destination: '/mnt', source: shared, options: ['bind'] },
      })
      await box.waitForFile(`${shared}/ready`)
      const words = ['exec', '--pid-file', box.path(`${MARK}-pid`), box.id, 'true']
      for (let round = 0; round < (supervised ? EXECS / 3 : EXECS); round++) {
        const result = await box.command(supervised ? ['--supervised', ...words] : words, {
          cwd: box.folder,
          env: { SECRET: MARK },
        })
        assert.is(succeeded(result).status, 0)
      }
      const caught = read(`${shared}/caught`)
      assert.is(caught, '', `${caught.split('\n').length} looks of the host: ${caught.slice(0, 400)}`)
      const seen = new Set(read(`${shared}/seen`).split('\n').filter(Boolean))
      assert.ok(seen.size > 5, `it looked into ${seen.size} processes before they were the program`)
    })
  }
}

/** Milliseconds that one command may take: less than a person's patience, and more than all limits in it. */
const LIMIT_MS = 40_000 * PATIENCE

function testSignals(ground: Ground): void {
  const detached = (round: number): boolean => round % 2 === 0
  for (const [signal, rounds] of [
    ['KILL', 40],
    ['XCPU', 40],
    ['STOP', 6],
  ] as const) {
    test(`a container that sends SIG${signal} to whatever comes in makes no exec hang, and can be deleted`, async () => {
      await using box = new Box(ground)
      // Init: all others are hit at once, again and again.
      await box.launch(`while :; do kill -${signal} -1; done 2>/dev/null`)
      const { pid } = await box.state()
      for (let round = 0; round < rounds; round++) {
        // A program that has been stopped is waited for, and rightly so: only who starts it and goes may not hang.
        const words = detached(round) || signal === 'STOP' ? ['--detach'] : []
        const supervised = round % 4 < 2 ? ['--supervised'] : []
        const begin = Date.now()
        await box.command([...supervised, 'exec', ...words, box.id, 'true'], { seconds: 60 })
        assert.ok(Date.now() - begin < LIMIT_MS, `round ${round} took ${Date.now() - begin} ms`)
      }
      const waiting = [[], ['--supervised']].map((flags) => {
        const [program = '', ...before] = box.runtime.command
        const words = [...before, '--root', box.stateRoot, ...flags, 'exec', box.id, 'sleep', '1000']
        return spawn(program, words, { stdio: 'ignore' })
      })
      const ended = waiting.map((child) => new Promise((resolve) => child.on('exit', resolve)))
      await box.delete('--force')
      await Promise.race([
        Promise.all(ended),
        new Promise((_, reject) => setTimeout(() => reject(new Error('an exec outlives its container')), LIMIT_MS)),
      ])
      assert.equal(children(Number(pid)), [])
      box.assertNothingLeft()
    })
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

test.run()
