import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RuntError } from '../../errors.ts'
import { annotatedProperties } from './annotations.ts'
import { parseGVariant } from './gvariant.ts'

const said = (name: string, text: string) => annotatedProperties({ [`org.systemd.property.${name}`]: text })

test('annotations are properties in GVariant text', () => {
  const cases: [string, string, string, string, unknown][] = [
    ['TimeoutStopUSec', 'uint64 123456789', 'TimeoutStopUSec', 't', 123456789n],
    ['TimeoutStopUSec', '5', 'TimeoutStopUSec', 't', 5n],
    ['TimeoutStopSec', '1.5', 'TimeoutStopUSec', 't', 1500000n],
    ['TimeoutStopSec', 'uint32 2', 'TimeoutStopUSec', 't', 2000000n],
    ['CollectMode', "'inactive-or-failed'", 'CollectMode', 's', 'inactive-or-failed'],
    ['After', '[\'a.service\', "b.service"]', 'After', 'as', ['a.service', 'b.service']],
    ['After', '@as []', 'After', 'as', []],
    ['KillSignal', '15', 'KillSignal', 'i', 15n],
    ['DefaultDependencies', 'true', 'DefaultDependencies', 'b', true],
    ['Description', "'ein Text'", 'Description', 's', 'ein Text'],
    ['Documentation', "['man:runt(8)']", 'Documentation', 'as', ['man:runt(8)']],
    ['SendSIGHUP', 'true', 'SendSIGHUP', 'b', true],
  ]
  for (const [name, text, full, signature, value] of cases) {
    assert.equal(said(name, text), [{ name: full, value: { signature, value } }], name)
  }
  assert.equal(annotatedProperties({ 'a.b': 'c', 'org.systemd.propertyX': 'd' }), [])
})

test('what would reach beyond the container is refused', () => {
  for (const name of [
    ...[
      'Conflicts',
      'Wants',
      'Requires',
      'Requisite',
      'BindsTo',
      'PartOf',
      'Upholds',
      'Before',
      'OnFailure',
      'OnSuccess',
    ],
    ...['PropagatesStopTo', 'JoinsNamespaceOf', 'RequiresMountsFor', 'StopPropagatedFrom', 'Names', 'RefuseManualStop'],
    ...['JobTimeoutAction', 'SuccessAction', 'FailureAction', 'StartLimitAction', 'IgnoreOnIsolate', 'KillMode'],
    ...[
      'FinalKillSignal',
      'SendSIGKILL',
      'ManagedOOMPreference',
      'Delegate',
      'MemoryMax',
      'BPFProgram',
      'IPAddressAllow',
    ],
    'ExecStartPre',
    'ExecStopPost',
    'User',
    'DeviceAllow',
    'Slice',
    'PIDs',
    'toString',
    'Sec',
    'USec',
    '',
  ]) {
    assert.throws(
      () => said(name, "'x'"),
      (error: unknown) => error instanceof RuntError && error.code === 'config-invalid' && error.message.includes(name),
      name,
    )
  }
})

test('what is no value of that type is refused', () => {
  const cases = [
    ['TimeoutStopUSec', "'5'"],
    ['TimeoutStopUSec', 'uint32 5'],
    ['TimeoutStopSec', '-1'],
    ['TimeoutStopSec', "'x'"],
    ['CollectMode', 'inactive'],
    ['CollectMode', "'a' 'b'"],
    ['CollectMode', "'a"],
    ['After', "'a.service'"],
    ['After', "['a.service'"],
    ['After', '[1]'],
    ['After', "['shutdown.target']"],
    ['After', "['a.service', '../b.service']"],
    ['After', `[${"'a.service',".repeat(16)} 'a.service']`],
    ['Description', `'a\\nExecStopPost=/bin/sh'`],
    ['Description', `'${'a'.repeat(300)}'`],
    ['Description', `'a\\u0000'`],
    ['Description', `'\\UFFFFFFFF'`],
    ['Documentation', "['https://a b']"],
    ['Documentation', "['javascript:x']"],
    ['CollectMode', "'never'"],
    ['OOMPolicy', "'reboot'"],
    ['KillSignal', '0'],
    ['KillSignal', '65'],
    ['KillSignal', '-1'],
    ['ManagedOOMMemoryPressureLimit', '-1'],
    ['ManagedOOMMemoryPressureLimit', '4294967296'],
    ['TimeoutStopUSec', '1.5'],
    ['TimeoutStopUSec', '18446744073709551615'],
    ['TimeoutStopSec', '18446744073710'],
    ['RuntimeMaxUSec', `1${'0'.repeat(10_000)}`],
    ['SendSIGHUP', '1'],
    ['SendSIGHUP', ''],
  ] as const
  for (const [name, text] of cases) {
    assert.throws(
      () => said(name, text),
      (error: unknown) => error instanceof RuntError && error.message.length < 1000,
      `${name} ${text}`,
    )
  }
})

test('GVariant text has escapes, signs and hexadecimal numbers', () => {
  assert.is(parseGVariant(`'it\\'s \\u00e4\\n'`, 's'), "it's ä\n")
  assert.is(parseGVariant(' int64 -0x10 ', 'x'), -16n)
  assert.is(parseGVariant('2.5', 'd'), 2.5)
})

test.run()
